"""``lockgate archive erase``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import archived as common
from lockgate.cli import options
from lockgate.cli.output import Output, columns

if TYPE_CHECKING:
    from lockgate.erasure import Erased


@click.command("erase")
@common.tables
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
@common.by
@click.option("--dry-run", is_flag=True, help="Show how many rows of each table would go; change nothing.")
@common.plan
@options.database
@options.yes
@options.output
def command(
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

    common.refuse_both(tables, every)
    if value == "-":
        value = sys.stdin.read().rstrip("\r\n")
    sessions, name = common.place(plan, database)
    wanted = erasure.Wanted(name, tables, column, value, reason, by or common.user())
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
    for name in found.copies:
        output.line(f"Materialized view {name} may hold such rows.", "warn")
        output.line(f"  Do: REFRESH MATERIALIZED VIEW {name} after the rows are erased, then VACUUM it.")
    if found.at is not None:
        output.line("Archived WAL and backups that others make are not known here, and the server's files keep remains")
        output.line("of the rows until VACUUM and new rows have passed over them.")
