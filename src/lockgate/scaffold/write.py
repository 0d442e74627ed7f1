"""Writing the plan folder."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from psycopg import Connection

from lockgate.errors import UsageError
from lockgate.scaffold.database import Table, columns, tables
from lockgate.scaffold.migrations import Migrations
from lockgate.suggest import did_you_mean

LISTED = 40
NEW_SCHEMA = "new_model"


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What was written.

    :param source: the table that the plan's first mapping reads.
    :param files: what was written, relative to the folder.
    """

    folder: Path
    name: str
    source: str
    tables: int
    files: tuple[Path, ...]


def scaffold(
    conn: Connection[Any],
    folder: Path,
    *,
    name: str,
    table: str | None = None,
    migrations: Migrations | None = None,
) -> Scaffold:
    """Write a plan folder whose plan copies one table, loads without an error and runs as it is.

    :param table: ``schema.table`` to begin with; default: the largest that has a primary key.
    :raises UsageError: when the folder holds something already, or no table fits.
    """
    if (folder / "plan.yaml").exists() or (folder.exists() and not folder.is_dir()):
        raise UsageError("There is a plan here already", where=str(folder), hint="Name another folder.")
    found = tables(conn)
    source = _choose(found, table)
    texts = _texts(conn, found, source, name, migrations)
    for relative in texts:
        if (folder / relative).exists():
            raise UsageError("This file exists already", where=str(folder / relative), hint="Name another folder.")
    for relative, text in texts.items():
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Scaffold(folder, name, source.label, len(found), tuple(Path(file) for file in texts))


def _choose(found: Sequence[Table], wanted: str | None) -> Table:
    if wanted is not None:
        table = next((table for table in found if wanted in {table.label, table.name}), None)
        if table is None:
            near = did_you_mean(wanted, [table.label for table in found])
            raise UsageError(f"There is no table {wanted}{near}", hint="Write schema.table.")
        if not table.primary_key:
            raise UsageError(
                "This table has no primary key",
                where=table.label,
                why="The copy needs columns that identify a row.",
                hint="Begin with another table, or write the plan by hand and name the key.",
            )
        return table
    if not found:
        raise UsageError("The database holds no table", hint="Is it the right database?")
    keyed = next((table for table in found if table.primary_key), None)
    if keyed is None:
        raise UsageError("No table has a primary key", hint="Name one with --table when one has.")
    return keyed


def _texts(
    conn: Connection[Any], found: Sequence[Table], source: Table, name: str, migrations: Migrations | None
) -> dict[str, str]:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__, ""),
        autoescape=False,  # YAML and SQL for people, no markup
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["yaml"] = _yaml
    environment.filters["comment"] = _comment
    schema = _new_schema(conn)
    mapping = _identifier(source.name)
    listed = columns(conn, source)
    key = [column for part in source.primary_key for column in listed if column.name == part]
    values = {
        "tables": found,
        "listed": LISTED,
        "migrations": migrations,
        "name": name,
        "description": f"Begins with {source.label}.",
        "schema": schema,
        "mapping": mapping,
        "source": source,
        "target": f"{schema}.{source.quoted_name}",
        "columns": listed,
        "key": key,
        "width": max(len(column.quoted) for column in listed),
    }
    texts = {
        "plan.yaml": "plan.yaml.j2",
        "sql/010_new_model.sql": "new_model.sql.j2",
        "sql/010_new_model_undo.sql": "undo.sql.j2",
        f"sql/020_{mapping}.sql": "select.sql.j2",
    }
    return {file: environment.get_template(template).render(values) for file, template in texts.items()}


def _new_schema(conn: Connection[Any]) -> str:
    """A name for the new model's schema that is not taken yet."""
    taken = {row[0] for row in conn.execute("SELECT nspname FROM pg_catalog.pg_namespace")}
    names = (f"{NEW_SCHEMA}{number}" if number > 1 else NEW_SCHEMA for number in count(1))
    return next(name for name in names if name not in taken)


def _identifier(name: str) -> str:
    """``name`` as a plan may use it for a mapping, a phase and a file."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_-")[:50]
    return plain if plain[:1].isalpha() else f"t_{plain}"


def _comment(value: object) -> str:
    """A name as it may stand in a comment: on one line."""
    return " ".join(str(value).split())


def _yaml(value: str) -> str:
    """A string as YAML reads it back: plain where that is safe, else quoted."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", value)
    keyword = value.lower() in {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
    return value if plain and not keyword else json.dumps(value, ensure_ascii=False)
