"""Options that name a folder of migrations, and the tool whose it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lockgate.errors import UsageError

if TYPE_CHECKING:
    from lockgate.history.base import Tool

F = TypeVar("F", bound=Callable[..., Any])


def folder(function: F) -> F:
    """FOLDER, ``--tool`` and ``--table``; the command gets ``tool: Callable[[], Tool]``, which reads the folder."""

    @wraps(function)
    def joined(*args: Any, folder: Path, tool: str | None, table: str | None, **others: Any) -> Any:
        return function(*args, tool=lambda: _opened(folder, tool, table), **others)

    argument = click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
    kind = click.option("--tool", metavar="NAME", help="Whose folder it is, such as sqlx or alembic.")
    place = click.option("--table", metavar="SCHEMA.NAME", help="The history's table, if not where the tool has it.")
    return argument(kind(place(joined)))  # type: ignore[return-value]


def _opened(folder: Path, tool: str | None, table: str | None) -> Tool:
    from lockgate.history import detect
    from lockgate.plan.values import split_name

    if (folder / "plan.yaml").is_file():
        return _of_plan(folder, tool, table)
    parts = split_name(table) if table is not None else None
    if table is not None and (parts is None or len(parts) != 2):
        raise UsageError(f"--table must be of the form schema.name, not {table}")
    return detect.opened(folder, tool, (parts[0], parts[1]) if parts else None)


def _of_plan(folder: Path, tool: str | None, table: str | None) -> Tool:
    from lockgate.cli import context
    from lockgate.plan import migrations

    loaded = context.load(folder)
    if loaded.plan.migrations is None:
        raise UsageError(
            "This plan names no folder of migrations", where=f"{folder}/plan.yaml", hint="Name the folder itself."
        )
    if tool is not None or table is not None:
        raise UsageError("--tool and --table are for a folder of migrations; a plan says them itself")
    return migrations.opened(loaded.plan, loaded.folder, loaded.where)
