"""Two that decide the same column of one table would write it in turns, for ever."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from lockgate.errors import MappingRefused
from lockgate.mapping import group
from lockgate.mapping.compiled import Compiled


def refuse_overlap(conn: Connection[Any], target_id: int, compiled: Compiled) -> None:
    """Refuse a mapping that decides what another target, of this plan or another one, decides of the same table.

    :raises MappingRefused: with the other one's name and plan.
    """
    rows = conn.execute(
        "SELECT id FROM lockgate.sync_targets WHERE relid = %s AND id <> %s AND EXISTS "
        "(SELECT FROM lockgate.mappings m WHERE m.target_id = sync_targets.id) ORDER BY id",
        (compiled.target.oid, target_id),
    ).fetchall()
    for (other_id,) in rows:
        other = group.load(conn, int(other_id))
        first = other.compiled[0]
        both_fill = not (compiled.definition.updates_only or first.definition.updates_only)
        shared = _decided(compiled) & _decided(first)
        if not both_fill and not shared:
            continue
        what = "the rows" if both_fill else f"column {', '.join(sorted(shared))}"
        raise MappingRefused(
            f"{compiled.name} and {first.name} of plan {other.plan} both decide {what} of {compiled.target.label}",
            where=compiled.definition.place("table" if compiled.definition.updates_only else "into"),
            why="each would undo what the other one writes",
            hint="let one of them yield what both should, or take the other one back first",
        )


def _decided(compiled: Compiled) -> set[str]:
    columns = compiled.columns if compiled.definition.updates_only else compiled.outputs
    return {column.name for column in columns}
