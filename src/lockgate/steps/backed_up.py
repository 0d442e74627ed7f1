"""The two backups that must hold the very rows of a table before it is dropped."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from lockgate.archive import erasing
from lockgate.archive.dropping import Archived
from lockgate.catalog.content import Content, Way, content
from lockgate.errors import CheckFailed
from lockgate.gates.backup import look_at_files
from lockgate.ledger import backups
from lockgate.ledger.backups import BackupRow
from lockgate.steps.demands import archive_only


class BackedUp:
    """Finds backups of tables; reads the files of each at most once."""

    def __init__(self, conn: Connection[Any]) -> None:
        self._conn = conn
        self._other_way: dict[int, str] = {}
        self._known = [row for row in backups.known(conn) if row.proven_at is not None]
        self._faults: dict[int, str | None] = {}

    def of(self, table: Archived, now: Content, where: str) -> list[dict[str, Any]]:
        """The newest proven backup of more than the archive, and the newest one of nothing else, as the log has them.

        :raises CheckFailed: if one is missing.
        """
        return [
            self._newest(table, now, False, "the last backup of more than the archive", where),
            self._newest(table, now, True, "a backup of nothing but the archive", where),
        ]

    def _newest(self, table: Archived, now: Content, alone: bool, what: str, where: str) -> dict[str, Any]:
        label, schema = table.now.label, table.now.schema
        kind = [row for row in self._known if archive_only(tuple(row.chosen), schema) is alone]
        if alone:  # a copy is of the whole database, whatever of it was compared
            kind = [row for row in kind if row.kind == "files"]
        why = f"No backup that was restored is {what}."
        for row in kind:
            held = row.tables.get(label)
            if held is None:
                why = f"Backup {row.id} does not hold {label}."
            elif (held["rows"], held["hash"]) != (now.rows, self._hash(table, now, held["hash"])):
                why = f"Backup {row.id} holds other rows of {label} than it has now."
                if gone := sum(rows for _, rows, _ in erasing.since(self._conn, [label], row.snapshot_at)):
                    why = f"Backup {row.id} still holds the {gone} rows that were erased from {table.was.label} since."
            elif fault := self._fault(row):
                why = f"Backup {row.id} {fault}."
            else:
                return {
                    "id": row.id,
                    "host": row.host,
                    "folder": row.folder,
                    "snapshot_at": row.snapshot_at.isoformat(),
                    "archive_only": alone,
                }
        raise CheckFailed(
            f"{table.was.label} is not in {what}, as it is now",
            where=where,
            why=why,
            hint="Make one with `lockgate backup`, then run `lockgate sample`: a backup reads the tables, too.",
        )

    def _hash(self, table: Archived, now: Content, held: str) -> str:
        """The table's hash in the way of the backup's: a key that was made or dropped meanwhile changes the way."""
        way: Way = "sums" if ":" in held else "xor"
        if way == now.way:
            return now.hash
        known = self._other_way.get(table.now.oid)
        if known is None:
            known = self._other_way[table.now.oid] = content(self._conn, table.now.oid, way).hash
        return known

    def _fault(self, row: BackupRow) -> str | None:
        if row.id not in self._faults:
            self._faults[row.id], _ = look_at_files(row)
        return self._faults[row.id]
