"""What an existing folder of migrations looks like, from the names of its files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lockgate.errors import UsageError

_TOOLS = (
    ("Alembic", r"[0-9a-f]{6,}_.+\.py"),
    ("Django", r"\d{4}_.+\.py"),
    ("Flyway", r"[VUR][\d._]*__.+\.sql"),
    ("golang-migrate or sqlx", r"\d+_.+\.(up|down)\.sql"),
    ("sqlx, dbmate or goose", r"\d+[_-].+\.sql"),
)


@dataclass(frozen=True, slots=True)
class Migrations:
    """A team's own migrations.

    :param tool: whose names these are, as far as that can be told.
    :param files: names, in the order of their names.
    """

    folder: Path
    tool: str
    files: tuple[str, ...]


def look(folder: Path) -> Migrations:
    """Read the names of a folder of migrations; nothing is opened.

    :raises UsageError: when it is no folder, or holds no migration.
    """
    if not folder.is_dir():
        raise UsageError("There is no such folder of migrations", where=str(folder))
    # Prisma and some others have a folder for each migration.
    nested = sorted(path.parent.name for path in folder.glob("*/migration.sql"))
    if nested:
        return Migrations(folder, "Prisma", tuple(nested))
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    for tool, pattern in _TOOLS:
        found = tuple(sorted((name for name in names if re.fullmatch(pattern, name)), key=_natural))
        if found:
            return Migrations(folder, tool, found)
    raise UsageError(
        "This folder holds no migrations that could be recognised",
        where=str(folder),
        hint="Name the folder of the files themselves, such as migrations or db/migrate.",
    )


def _natural(name: str) -> list[tuple[int, int | str]]:
    """``9_a`` before ``10_a``."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name) if part]
