"""A mapping must not read what it fills, neither itself nor through others: it would chase its own writes for ever."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from lockgate.errors import MappingRefused
from lockgate.mapping.compiled import Compiled

# The tables that are filled, however many mappings lie between, from a table, or from some columns of it: what is
# written beside the columns that its log watches reaches nobody.
_FED = b"""
WITH RECURSIVE fed (relid, written) AS (
    SELECT %s::oid, %s::integer[]
    UNION
    SELECT t.relid, NULL FROM fed
    JOIN lockgate.logs l ON l.relid = fed.relid AND l.writer = '' AND coalesce(fed.written && l.columns, true)
    JOIN lockgate.log_readers r ON r.log_id = l.id
    JOIN lockgate.sync_targets t ON t.id = r.target_id AND t.state <> 'cut_over')
SELECT relid::bigint FROM fed
"""


def refuse_own_target(compiled: Compiled) -> None:
    """Refuse a map whose SELECT reads the table that it fills.

    :raises MappingRefused: if it does; a transform may, and one without sync.
    """
    definition = compiled.definition
    if definition.updates_only or not definition.sync:
        return
    if any(base.relation.oid == compiled.target.oid for base in compiled.bases):
        raise MappingRefused(
            f"{definition.name} cannot read the table that it fills, {compiled.target.label}",
            where=definition.place("select"),
            why="each row that it writes would have to be followed in turn",
            hint="use `transform:` to change rows in place, or say `sync: none`",
        )


def refuse_circle(conn: Connection[Any], compiled: Compiled) -> None:
    """Refuse a mapping that reads a table which live mappings fill from the one that it fills.

    :raises MappingRefused: if there is such a circle.
    """
    definition = compiled.definition
    if not definition.sync:
        return
    written = [column.number for column in compiled.columns] if definition.updates_only else None
    fed = {int(relid) for (relid,) in conn.execute(_FED, (compiled.target.oid, written))} - {compiled.target.oid}
    for base in compiled.bases:
        if base.relation.oid in fed:
            raise MappingRefused(
                f"{definition.name} fills {compiled.target.label} from {base.relation.label}, "
                f"which is itself filled from {compiled.target.label}",
                where=definition.place("select"),
                why="each change would be followed around the circle for ever",
                hint="read the tables of the old model",
            )
