"""Which tool a folder of migrations is of, from its names and what lies around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lockgate.errors import UsageError
from lockgate.history import (
    alembic,
    dbmate,
    django,
    flyway,
    golang_migrate,
    goose,
    prisma,
    sqlx,
    supabase,
    timestamped,
)
from lockgate.history.base import Tool
from lockgate.suggest import did_you_mean


@dataclass(frozen=True, slots=True)
class Kind:
    """A tool that Lockgate knows.

    :param opened: makes a ``Tool`` of a folder and, where it is not the default one, the history's schema and table.
    :param fits: whether a folder that exists looks like this tool's, and like no other's.
    :param may: whether it may be this tool's, as far as its names say.
    """

    opened: Callable[[Path, tuple[str, str] | None], Tool]
    fits: Callable[[Path], bool]
    may: Callable[[Path], bool] = lambda folder: False


TOOLS: Mapping[str, Kind] = {
    "sqlx": Kind(sqlx.Sqlx, sqlx.fits, sqlx.may),
    "prisma": Kind(prisma.Prisma, prisma.fits),
    "alembic": Kind(alembic.Alembic, alembic.fits),
    "django": Kind(django.Django, django.fits),
    "dbmate": Kind(dbmate.Dbmate, dbmate.fits),
    "goose": Kind(goose.Goose, goose.fits),
    "golang-migrate": Kind(golang_migrate.GolangMigrate, golang_migrate.fits, golang_migrate.may),
    "flyway": Kind(flyway.Flyway, flyway.fits),
    "supabase": Kind(supabase.Supabase, supabase.fits),
    "timestamped": Kind(timestamped.Timestamped, timestamped.fits, timestamped.may),
}
"""Name -> tool; in the order in which they are tried."""


def opened(folder: Path, tool: str | None = None, table: tuple[str, str] | None = None) -> Tool:
    """The tool of a folder.

    :param tool: its name; None: it is told from the folder.
    :param table: schema and name of the history, if it is not where the tool's default is.
    :raises UsageError: if the folder is not there, the name is not known, or it cannot be told which tool it is.
    """
    if tool is not None and tool not in TOOLS:
        raise UsageError(
            f"There is no migration tool {tool}{did_you_mean(tool, TOOLS)}", hint=f"Known are {', '.join(TOOLS)}."
        )
    if not folder.is_dir():
        raise UsageError("There is no such folder of migrations", where=str(folder))
    return TOOLS[tool or _told(folder)].opened(folder, table)


def _told(folder: Path) -> str:
    fitting = [name for name, kind in TOOLS.items() if kind.fits(folder)]
    if len(fitting) == 1:
        return fitting[0]
    fitting = fitting or [name for name, kind in TOOLS.items() if kind.may(folder)]
    if fitting:
        raise UsageError(
            "This folder may be of several tools",
            where=str(folder),
            why=f"Its files are named as those of {', '.join(fitting)}.",
            hint="Name the tool: `tool:` in the plan, or --tool.",
        )
    raise UsageError(
        "It cannot be told which tool this folder of migrations is of",
        where=str(folder),
        hint=f"Name the folder of the files themselves, or the tool (`tool:`, or --tool): {', '.join(TOOLS)}.",
    )
