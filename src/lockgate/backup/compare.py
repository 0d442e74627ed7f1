"""Whether a backup's files, and what was restored from them, are what the manifest says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from psycopg import Connection

from lockgate import manifest
from lockgate.backup.make import columns_of
from lockgate.catalog import relations
from lockgate.catalog.content import content
from lockgate.catalog.shape import shape
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


def changed_parts(conn: Connection[Any], was: TableContent) -> list[str]:
    """The kinds of parts, such as ``constraints``, in which a table that is there is not as it was."""
    oid = relations.find(conn, was.schema, was.name)
    now = shape(conn, oid) if oid is not None else {}
    return sorted(kind for kind in now.keys() | was.shape.keys() if now.get(kind) != was.shape.get(kind))


def listed(lines: Sequence[str]) -> str:
    """The lines, as many as somebody may read."""
    more = len(lines) - 2 * SHOWN
    return "\n".join([*lines[: 2 * SHOWN], *([f"... and {more} more"] if more > 0 else [])])
