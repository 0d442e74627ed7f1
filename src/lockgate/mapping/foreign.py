"""Foreign keys by which the target would stand in the application's way."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from lockgate.errors import MappingRefused
from lockgate.mapping.compiled import Compiled

# Tables that mappings fill are left out: there, only the tool removes rows, and tries again until it may.
_RESTRICTING = b"""
SELECT c.conname, c.confrelid::bigint, pg_catalog.pg_get_constraintdef(c.oid)
FROM pg_catalog.pg_constraint c,
LATERAL (SELECT bool_or(a.attnotnull) AS needed FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)) AS k
WHERE c.contype = 'f' AND c.conrelid = %s AND c.confrelid = ANY (%s)
AND (c.confdeltype IN ('a', 'r', 'd') OR c.confupdtype IN ('a', 'r', 'd')
     OR (k.needed AND 'n' IN (c.confdeltype, c.confupdtype)))
AND c.confrelid NOT IN (SELECT t.relid FROM lockgate.sync_targets t) AND c.conparentid = 0
ORDER BY c.conname
"""


def refuse_restricting(conn: Connection[Any], compiled: Compiled) -> None:
    """Refuse a target whose rows would keep the application from deleting or renumbering rows that the mapping reads.

    The application does so before the applier has seen it, and would fail because of the sync.

    :raises MappingRefused: with the foreign key.
    """
    definition = compiled.definition
    if definition.updates_only or not definition.sync:
        return
    relations = {base.relation.oid: base.relation for base in compiled.bases}
    found = conn.execute(_RESTRICTING, (compiled.target.oid, list(relations))).fetchone()
    if found is not None:
        name, relid, text = found
        label = relations[relid].label
        raise MappingRefused(
            f'foreign key "{name}" of {compiled.target.label} would refuse deletes or updates of keys in {label}',
            where=definition.place("into"),
            why=f"{text}: a row that the application changes there still has its row in the target for an instant",
            hint="make it ON DELETE CASCADE ON UPDATE CASCADE, or add it after cutover",
        )
