"""``lockgate history status``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from lockgate.cli import context, folders, options
from lockgate.cli.output import Output, columns
from lockgate.errors import ExitCode

if TYPE_CHECKING:
    from lockgate.history.base import Tool
    from lockgate.history.standing import Entry, Standing

_STYLES = {"applied": "good", "pending": "warn", "to be run again": "warn", "out of order": "warn"}


@click.command("status")
@folders.folder
@options.database
@click.option("--exit-code", "pending_code", is_flag=True, help="Exit with 10 when something is pending.")
@options.output
def command(tool: Callable[[], Tool], database: str | None, pending_code: bool, output: Output) -> int:
    """Compare a folder of migrations with the history in the database.

    Each migration is applied, pending, changed since it was applied, missing from the folder, out of order, or
    failed; what is wrong is said with what to do. Touches nothing. Exits with 1 when something stands in the
    way of applying the rest.

    \b
    Example:
      lockgate history status migrations
    """
    from lockgate.history import standing

    opened = tool()
    with context.sessions(database).open("history", plan_sql=True, read_only=True) as conn:
        now = standing.look(conn, opened)
    if output.json:
        output.object(_as_json(opened, now))
    else:
        _tell(output, opened, now)
    if now.blocking:
        return ExitCode.FAILED
    return ExitCode.PENDING if pending_code and now.pending else ExitCode.DONE


def _tell(output: Output, tool: Tool, now: Standing) -> None:
    there = f"history {now.home}" if now.home.exists else f"no history {now.home} yet"
    output.line(f"{tool.name}: {tool.folder}, {there}", "title")
    rows = columns([(entry.state.value, _label(entry), _at(entry)) for entry in now.entries], indent="  ")
    output.lines(told for entry, line in zip(now.entries, rows, strict=True) for told in _lines(entry, line))
    pending = len(now.pending)
    output.line(f"{_count(now, 'applied')} applied, {pending} pending, {len(now.blocking)} in the way.")


def _lines(entry: Entry, line: str) -> Iterator[tuple[str, str | None]]:
    yield line, _STYLES.get(entry.state.value, "bad")
    if entry.why:
        yield f"      {entry.why}", None
    if entry.do:
        yield f"      Do: {entry.do}", None


def _count(now: Standing, state: str) -> int:
    return sum(entry.state.value == state for entry in now.entries)


def _label(entry: Entry) -> str:
    return entry.name or entry.version


def _at(entry: Entry) -> str:
    at = entry.row.at if entry.row is not None else None
    return f"{at:%Y-%m-%d %H:%M:%S}" if at is not None else ""


def _as_json(tool: Tool, now: Standing) -> dict[str, object]:
    return {
        "tool": tool.name,
        "folder": str(tool.folder),
        "history": str(now.home),
        "exists": now.home.exists,
        "applied": _count(now, "applied"),
        "pending": [migration.version for migration in now.pending],
        "blocking": [entry.version for entry in now.blocking],
        "migrations": [
            {
                "version": entry.version,
                "name": entry.name,
                "state": entry.state.value,
                "applied_at": entry.row.at if entry.row is not None else None,
                "why": entry.why or None,
                "do": entry.do or None,
            }
            for entry in now.entries
        ],
    }
