"""Copies with real rows: a backup that is restored, or another database that is copied by the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.backup.restore import Wanted, restore
from lockgate.catalog import document
from lockgate.catalog.differences import differences
from lockgate.catalog.document import Document
from lockgate.engine.context import Progress
from lockgate.engine.session import Sessions
from lockgate.rehearse import source
from lockgate.rehearse.filling import Filled

if TYPE_CHECKING:
    from lockgate.rehearse.copy import Settings


def rows(made: Sessions, wanted: Settings, remarks: list[str], progress: Progress) -> tuple[Filled, ...]:
    """Put the rows into the copy, if they are not in it already; the tables that it has then.

    :param remarks: where to tell what could not be restored.
    """
    if wanted.restore:
        progress.event(f"restoring {wanted.restore} to the copy")
        restored = restore(made, Wanted(wanted.restore, folders=wanted.folders, progress=progress))
        remarks += [f"not restored: {one.what}: {one.why}" for one in restored.missing]
    with made.open("rehearsal") as conn:  # a ledger that came along is a copy, in which nothing can be recorded
        conn.execute("DROP SCHEMA IF EXISTS lockgate CASCADE")
        conn.execute("ANALYZE")
        return tuple(Filled(table.label, None, max(0, table.rows)) for table in source.tables(conn))


def schema(made: Sessions, there: Document, remarks: list[str]) -> Document:
    """What is rehearsed from: the copy's schema, which may be an older one.

    :param there: the source's.
    :param remarks: where to tell in what they differ.
    """
    with made.open("rehearsal", read_only=True) as conn:
        here = document.read(conn, passing=False)
    remarks += [f"not as in the source: {one}" for one in differences(there, here) if not one.note]
    return here
