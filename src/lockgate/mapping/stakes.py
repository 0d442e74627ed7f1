"""What the application has in a target: the rows that are its own, and what it would lose with those that are not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.catalog.relations import Column, Relation
from lockgate.errors import PlanError
from lockgate.mapping import group as groups
from lockgate.mapping.changelog import SEGMENTS
from lockgate.mapping.compiled import Compiled, equal, equal_as_held, names
from lockgate.mapping.defaults import steady_defaults
from lockgate.mapping.group import Group
from lockgate.mapping.intake import Intake
from lockgate.mapping.kept import values_of_before
from lockgate.mapping.queries import first_number
from lockgate.mapping.reconcile import one_snapshot

TAKEN_OUT = "a mapping was taken out"
"""Why a target is compared whose rows may be those of a mapping that is not in the ledger any more."""


@dataclass(frozen=True, slots=True)
class Stakes:
    """What the application would lose of one target, in rows; names of columns.

    :param born: rows that it made there.
    :param unexplained: rows that no mapping yields and of which no log tells: also theirs, for all that is known.
    :param replaced: rows that it had made otherwise, under keys that the old model came to decide.
    :param beside: other rows, with values of the application's in columns that no mapping decides.
    :param free: those columns; ``unknown`` are others, whose values may be anybody's.
    """

    born: int
    unexplained: int
    replaced: int
    beside: int
    free: tuple[str, ...]
    unknown: tuple[str, ...]


def weigh(conn: Connection[Any], loaded: Group, leaving: Collection[str], *, dropped: bool) -> Stakes:
    """What the application would lose if some mappings were taken out of their target now.

    :param leaving: names of the mappings that are taken back.
    :param dropped: whether the table is dropped afterwards.
    """
    find_own(conn, loaded)
    evaluation = loaded.evaluation
    born = first_number(conn, f"SELECT count(*) FROM {own_table(loaded)} WHERE known")
    unexplained = first_number(conn, f"SELECT count(*) FROM {own_table(loaded)} WHERE NOT known")
    staying = remaining(loaded, leaving)
    free, unknown = _decided_nowhere(conn, loaded)
    return Stakes(
        # Rows that were born stay with the mappings that stay, and those that were replaced are put back.
        born=born if dropped or not staying else 0,
        unexplained=unexplained,
        replaced=first_number(conn, evaluation.count_replaced()) if dropped else 0,
        beside=_beside(conn, loaded, () if dropped else staying, free),
        free=tuple(column.name for column in free),
        unknown=unknown,
    )


def remaining(loaded: Group, leaving: Collection[str]) -> list[Compiled]:
    """The mappings of a target that stay when some are taken out."""
    return [mapping for mapping in loaded.compiled if mapping.name not in leaving]


def own_table(loaded: Group) -> str:
    """The temporary table of the application's own keys; ``known`` where it is known to have written them."""
    return f"pg_temp.lockgate_own_rows_{loaded.target_id}"


def find_own(conn: Connection[Any], loaded: Group) -> None:
    """Fill the table of the rows that are the application's own, in one snapshot: all that no mapping accounts for.

    What the application wrote is known from the log, and taken in by appliers as born. But a trigger may have been
    switched off, a partition attached, and without sync there is no log: therefore each row that nothing yields
    counts, unless the log of the old model tells that it was yielded until a moment ago.
    """
    evaluation, own = loaded.evaluation, own_table(loaded)
    key, target = evaluation.key, evaluation.target.sql
    columns = ", ".join(f"{c.sql} {c.plain_type}" for c in key)
    with one_snapshot(conn, loaded):
        conn.execute(f"DROP TABLE IF EXISTS {own}".encode())
        conn.execute(
            f"CREATE TEMPORARY TABLE {own.removeprefix('pg_temp.')} "
            f"({columns}, known boolean NOT NULL, PRIMARY KEY ({names(key)}))".encode()
        )
        if not nothing_written(conn, loaded.target_id):
            _add(conn, loaded, f"SELECT {names(key, 't')}, false FROM {target} AS t WHERE {unyielded(loaded.compiled)}")
            _add(conn, loaded, f"SELECT {names(key, 't')}, true FROM {target} AS t WHERE {_born(loaded)}")
            if loaded.touched is not None:
                conn.execute(f"UPDATE {own} AS t SET known = true WHERE {logged(loaded)}".encode())
            if first_number(conn, f"SELECT count(*) FROM {own} WHERE NOT known"):
                _leave_out_pending(conn, loaded)
        else:
            _add(conn, loaded, f"SELECT {names(key, 't')}, true FROM {target} AS t")


def nothing_written(conn: Connection[Any], target_id: int) -> bool:
    """Whether the mappings have not begun to write to the target."""
    row = conn.execute("SELECT NOT own_rows_kept FROM lockgate.sync_targets WHERE id = %s", (target_id,)).fetchone()
    return bool(row and row[0])


def removed(loaded: Group, staying: Sequence[Compiled], alias: str) -> str:
    """The condition that a row of the target goes when all mappings are taken out but those that stay."""
    conditions = [f"NOT {is_in(loaded, loaded.evaluation.replaced, alias)}"]
    if staying:
        conditions += [unyielded(staying, alias), f"NOT {is_in(loaded, own_table(loaded), alias)}"]
    return " AND ".join(conditions)


def unyielded(compiled: Sequence[Compiled], alias: str = "t") -> str:
    """The condition that none of some mappings yields a row of the target."""
    return " AND ".join(f"NOT {yielded([mapping], alias)}" for mapping in compiled)


def yielded(compiled: Sequence[Compiled], alias: str = "t") -> str:
    """The condition that any of some mappings yields a row of the target."""
    found = [
        f"EXISTS (SELECT FROM ({mapping.select.render()}) AS y WHERE {equal_as_held(mapping.key, alias, 'y')})"
        for mapping in compiled
    ]
    return found[0] if len(found) == 1 else f"({' OR '.join(found)})"


def logged(loaded: Group) -> str:
    """The condition on a row of the target, ``t``, that the application is known to have written it of late."""
    assert loaded.touched is not None
    key = loaded.evaluation.key
    new = ", ".join(f"n{c.number} AS {c.sql}" for c in key)
    written = " UNION ALL ".join(
        f"SELECT {new} FROM {loaded.touched.table(segment)} WHERE op IN ('I', 'U')" for segment in SEGMENTS
    )
    return f"EXISTS (SELECT FROM ({written}) AS l WHERE {equal(key, 't', 'l')})"


def is_in(loaded: Group, table: str, alias: str = "t") -> str:
    """The condition that the key of a row of the target is in a table of keys."""
    return f"EXISTS (SELECT FROM {table} AS k WHERE {equal(loaded.evaluation.key, alias, 'k')})"


def _born(loaded: Group) -> str:
    return is_in(loaded, loaded.evaluation.born)


def _add(conn: Connection[Any], loaded: Group, rows: str) -> None:
    key = names(loaded.evaluation.key)
    conn.execute(
        f"INSERT INTO {own_table(loaded)} ({key}, known) {rows} "
        f"ON CONFLICT ({key}) DO UPDATE SET known = excluded.known".encode()
    )


def _leave_out_pending(conn: Connection[Any], loaded: Group) -> None:
    """Rows that were yielded until a change which nobody has taken in yet, or by a mapping that was just taken out."""
    Intake(conn, loaded).collect_pending()
    pending = (loaded.evaluation.candidates, loaded.recheck)
    conn.execute(
        f"DELETE FROM {own_table(loaded)} AS t WHERE NOT known AND "
        f"({' OR '.join(is_in(loaded, table) for table in pending)} OR EXISTS (SELECT FROM lockgate.sync_targets "
        f"WHERE id = {loaded.target_id} AND repair AND reason = '{TAKEN_OUT}'))".encode()
    )


def _beside(conn: Connection[Any], loaded: Group, staying: Sequence[Compiled], free: dict[Column, str]) -> int:
    """Count the rows that would be removed, and in which columns that no mapping decides are not as they were made."""
    if not free:
        return 0
    held = ", ".join(f"t.{c.sql}::{c.plain_type}" for c in free)
    made = ", ".join(f"({text}\n)::{c.type}::{c.plain_type}" for c, text in free.items())
    conditions = [
        f"NOT {is_in(loaded, own_table(loaded))}",
        removed(loaded, staying, "t"),
        f"pg_catalog.record_image_ne(ROW({held}), ROW({made}))",
    ]
    return first_number(
        conn, f"SELECT count(*) FROM {loaded.evaluation.target.sql} AS t WHERE {' AND '.join(conditions)}"
    )


def _decided_nowhere(conn: Connection[Any], loaded: Group) -> tuple[dict[Column, str], tuple[str, ...]]:
    """The columns that nothing but the application writes, each with the value it is made with; and names of others.

    Those others are made with a value that nobody can tell afterwards, such as the time.
    """
    first = loaded.compiled[0]
    decided = {c.name for c in first.outputs} | _transformed(conn, loaded)
    free = [c for c in loaded.evaluation.target.columns if not c.generated and c.name not in decided]
    known = steady_defaults(conn, loaded.evaluation.target, free, first.definition.on_insert)
    unknown = tuple(column.name for column in free if column not in known)
    return known, unknown


def _transformed(conn: Connection[Any], loaded: Group) -> set[str]:
    """The columns of the target that transforms write: their own undo accounts for them."""
    found = conn.execute(
        "SELECT id FROM lockgate.sync_targets t WHERE relid = %s AND id <> %s "
        "AND EXISTS (SELECT FROM lockgate.mappings m WHERE m.target_id = t.id)",
        (loaded.evaluation.target.oid, loaded.target_id),
    ).fetchall()
    return {column.name for (number,) in found for column in _changed(conn, int(number), loaded.evaluation.target)}


def _changed(conn: Connection[Any], target_id: int, target: Relation) -> Sequence[Column]:
    """The columns that a transform writes; of one that fits the database no more, those whose values it keeps."""
    try:
        return groups.load(conn, target_id).evaluation.columns
    except PlanError:
        kept = values_of_before(conn, target_id, target)
        return kept[0] if kept else ()
