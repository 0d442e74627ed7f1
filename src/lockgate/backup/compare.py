"""Whether a backup's files, and what was restored from them, are what the manifest says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from psycopg import Connection

from lockgate import manifest
from lockgate.backup.make import DESCRIPTION, columns_of
from lockgate.catalog import relations
from lockgate.catalog.content import content
from lockgate.catalog.differences import differences as of_schemas
from lockgate.catalog.document import Document
from lockgate.errors import CheckFailed
from lockgate.manifest import Manifest, TableContent

SHOWN = 20


def checked(folder: Path, hint: str) -> Manifest:
    """What a backup's manifest says, after every one of its files was read and is as it was written.

    :param hint: what to do where it is not.
    :raises CheckFailed: with each file that is not.
    """
    said = manifest.read(folder)
    if faults := manifest.faults(folder, said):
        raise CheckFailed("Files of the backup are not as they were", where=str(folder), why=listed(faults), hint=hint)
    return said


def differences(conn: Connection[Any], was: TableContent) -> list[str]:
    """In which ways the columns, rows and content of a restored table are not as they were; reads all of it."""
    oid = relations.find(conn, was.schema, was.name)
    if oid is None:
        return [f"table {was.label} is missing"]
    columns = columns_of(conn, oid)
    if columns != was.columns:
        names = sorted({name for name, *_ in set(columns) ^ set(was.columns)}) or ["their order"]
        return [f"table {was.label} has other columns: {', '.join(names)}"]
    found = content(conn, oid, was.way)
    if found.rows != was.rows:
        return [f"table {was.label} has {found.rows} rows instead of {was.rows}"]
    if found.hash != was.hash:
        return [f"table {was.label} has other content in its {was.rows} rows"]
    return []


def description(folder: Path, hint: str) -> Document:
    """The schema that was backed up, whole, whichever tables were.

    :param hint: what to do where it cannot be read.
    :raises CheckFailed: where it cannot.
    """
    path = folder / DESCRIPTION
    try:
        return Document.from_json(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        what = "The description of the schema that was backed up cannot be read"
        raise CheckFailed(what, where=str(path), why=str(error), hint=hint) from error


def changed_parts(conn: Connection[Any], table: TableContent, was: Document, now: Document) -> list[str]:
    """In what a table, its partitions and all that is a part of them are not as they were."""
    row = conn.execute("SELECT pg_catalog.format('%%I.%%I', %s::text, %s::text)", (table.schema, table.name)).fetchone()
    assert row is not None
    return [str(found) for found in of_schemas(was.of(row[0]), now.of(row[0])) if not found.note]


def listed(lines: Sequence[str]) -> str:
    """The lines, as many as somebody may read."""
    more = len(lines) - 2 * SHOWN
    return "\n".join([*lines[: 2 * SHOWN], *([f"... and {more} more"] if more > 0 else [])])
