"""``lockgate archive``: ``erase``, ``hold`` and ``release``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import context, options
from lockgate.cli.output import Output, columns
from lockgate.errors import UsageError

if TYPE_CHECKING:
    from lockgate.archive.holds import Hold
    from lockgate.engine.session import Sessions
    from lockgate.erasure import Erased

_PLAN = click.option("--plan", "-p", metavar="PATH", type=click.Path(path_type=Path), help="The plan's folder.")
_TABLES = click.argument("tables", metavar="[TABLE]...", nargs=-1)
_BY = click.option("--by", metavar="NAME", help="Who, as it shall stand in the ledger. Default: who is logged in here.")


@click.group("archive")
def command() -> None:
    """Erase a person's rows from archived tables, and hold tables for a court.

    Archived tables are read-only for everybody. These commands are the only way to take one person's rows out of
    them, and to keep all of a table whatever else is asked for. The ledger says who did it, when and why.

    \b
    Example:
      lockgate archive erase --all --where-column entity_id --value 4711 --reason "request 2026-114" --dry-run
      lockgate archive hold core.entities --reason "case 12/2026"
    """


@command.command("erase")
@_TABLES
@click.option(
    "--all", "every", is_flag=True, help="All tables that the plan has in the archive and that have the column."
)
@click.option("--where-column", "column", metavar="NAME", required=True, help="The column that tells whose a row is.")
@click.option(
    "--value",
    metavar="TEXT",
    required=True,
    help="Its value in the rows to erase; - reads it from standard input, so that it is in no list of processes.",
)
@click.option("--reason", metavar="TEXT", required=True, help="Why, such as the number of the request. Not who it is.")
@_BY
@click.option("--dry-run", is_flag=True, help="Show how many rows of each table would go; change nothing.")
@_PLAN
@options.database
@options.yes
@options.output
def erase(
    tables: tuple[str, ...],
    every: bool,
    column: str,
    value: str,
    reason: str,
    by: str | None,
    dry_run: bool,
    plan: Path | None,
    database: str | None,
    yes: bool,
    output: Output,
) -> None:
    """Erase the rows of one person from archived tables.

    TABLE is the name that a table had or has in the archive. The rows whose column has the value go from all
    tables in one transaction, and nothing else: what is left is compared with what was to be left, and becomes
    what later checks compare with. Tables that refer to each other by another column are erased one command
    after the other, those that refer first. A table under legal hold is refused.

    The ledger keeps who, when, why, the column and how many rows; never the value, nor a hash of it. Backups that
    may still hold the rows are listed.

    \b
    Example:
      lockgate archive erase --all --where-column entity_id --value 4711 --reason "request 2026-114" --dry-run
      lockgate archive erase core.entities core.phones --where-column entity_id --value - --reason "request 2026-114"
    """
    from lockgate import erasure
    from lockgate.cli.interrupt import stop_on_signal
    from lockgate.cli.progress import shown

    _refuse_both(tables, every)
    if value == "-":
        value = sys.stdin.read().rstrip("\r\n")
    sessions, name = _place(plan, database)
    wanted = erasure.Wanted(name, tables, column, value, reason, by or _user())
    found = erasure.look(sessions, wanted)
    if dry_run or not found.rows:
        _tell(output, found)
        return
    if not output.json:
        _show(output, found)
    options.confirm(f"Erase {_rows(found.rows)}? No rollback brings them back", yes=yes)
    with stop_on_signal("this try") as stop, shown(output, sessions.clock) as progress:
        done = erasure.erase(sessions, wanted, progress=progress, stop=stop)
    _tell(output, done)


@command.command("hold")
@_TABLES
@click.option("--all", "every", is_flag=True, help="All tables that the plan has in the archive now.")
@click.option("--reason", metavar="TEXT", required=True, help="Why, such as the number of the case.")
@_BY
@_PLAN
@options.database
@options.output
def hold(
    tables: tuple[str, ...],
    every: bool,
    reason: str,
    by: str | None,
    plan: Path | None,
    database: str | None,
    output: Output,
) -> None:
    """Put a legal hold on archived tables.

    While it stands, no row of the table is erased, the table is not dropped, whatever its retention, and no
    rollback takes it out of the archive. A table may have several holds; each has its own reason.

    \b
    Example:
      lockgate archive hold core.entities --reason "case 12/2026"
    """
    from lockgate import erasure

    _refuse_both(tables, every)
    sessions, name = _place(plan, database)
    _tell_holds(output, "held", erasure.hold(sessions, name, tables, reason, by or _user()))


@command.command("release")
@_TABLES
@click.option("--all", "every", is_flag=True, help="All tables of the plan that are under legal hold.")
@click.option("--number", metavar="N", type=int, help="The hold of this number, where a table has several.")
@click.option("--reason", metavar="TEXT", required=True, help="Why the hold is over.")
@_BY
@_PLAN
@options.database
@options.output
def release(
    tables: tuple[str, ...],
    every: bool,
    number: int | None,
    reason: str,
    by: str | None,
    plan: Path | None,
    database: str | None,
    output: Output,
) -> None:
    """Release legal holds.

    \b
    Example:
      lockgate archive release core.entities --reason "case 12/2026 is closed"
    """
    from lockgate import erasure

    if number is None:
        _refuse_both(tables, every)
    elif tables or every:
        raise UsageError("A hold's number says which table it is on", hint="Leave out --all and the names of tables.")
    sessions, name = _place(plan, database)
    _tell_holds(output, "released", erasure.release(sessions, name, tables, number, reason, by or _user()))


def _refuse_both(tables: tuple[str, ...], every: bool) -> None:
    if bool(tables) is every:
        raise UsageError(
            "It was said twice which tables are meant" if every else "It was not said which tables are meant",
            hint="Name tables (lockgate archive ... core.entities), or give --all.",
        )


def _place(plan: Path | None, database: str | None) -> tuple[Sessions, str]:
    """Where the plan is at work, and its name."""
    settings = context.load(plan).plan.settings if plan or context.has_plan() else None
    sessions = context.sessions(database, settings)
    with sessions.open("archive") as conn:
        return sessions, context.plan_name(plan, conn)


def _user() -> str:
    from lockgate.engine.run import user

    return user()


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


def _show(output: Output, found: Erased) -> None:
    head = ("table", "in the archive", "rows of the person" if found.at is None else "erased", "left")
    rows = [(part.label, part.archived_as, str(part.rows), str(part.left)) for part in found.parts]
    for line in columns([head, *rows], right=range(2, 4)):
        output.line(line)
    if found.without:
        output.line(f"Without this column, and not looked at: {', '.join(found.without)}", "warn")


def _tell(output: Output, found: Erased) -> None:
    if output.json:
        output.event({"event": "result", **asdict(found), "rows": found.rows, "dry_run": found.at is None})
        return
    _show(output, found)
    if not found.rows:
        output.line("No row has this value; nothing was changed.")
        return
    if found.at is None:
        output.line(f"{_rows(found.rows)} would be erased; nothing was changed.", "title")
    else:
        output.line(
            f"{_rows(found.rows)} erased in one transaction. The ledger says who, when, why and how many.", "good"
        )
    for each in found.backups:
        what = f"Backup {each.id} of {each.snapshot_at:%Y-%m-%d %H:%M:%S} UTC" + (
            f", the copy at {each.place}" if each.kind == "copy" else f" in {each.place} on {each.host}"
        )
        output.line(f"{what} may hold such rows: {', '.join(each.tables)}", "warn")
    if found.backups:
        output.line("  Do: make a new backup with `lockgate backup`, then give those up (`--keep 1`, or by hand), and")
        output.line("  erase again whatever is restored from one that must stay.")
    if found.at is not None:
        output.line("Archived WAL and backups that others make are not known here, and the server's files keep remains")
        output.line("of the rows until VACUUM and new rows have passed over them.")


def _tell_holds(output: Output, verb: str, found: list[Hold]) -> None:
    if output.json:
        output.event({"event": "result", verb: [asdict(each) for each in found]})
        return
    for each in found:
        output.line(f"{each.label} is {verb}: {each}", "good" if verb == "held" else None)
