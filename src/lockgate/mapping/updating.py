"""The chunk of a transform: its rows changed in place."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from lockgate.mapping.compiled import Compiled, equal_as_held, names
from lockgate.mapping.group import Group
from lockgate.mapping.part import Part
from lockgate.mapping.statements import Evaluation
from lockgate.sql.tree import quote


def update_chunk(conn: Connection[Any], group: Group, compiled: Compiled, part: Part) -> tuple[int, int]:
    """Change the rows that a part of the driving relation yields; return the rows yielded and the rows changed.

    A row that the application changes while the chunk waits for it is left alone, for what was read of it is old:
    its place is another one then. It is looked at again, as are keys that the chunk yields twice.
    """
    row = conn.execute(_statement(group, compiled, part).encode()).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _statement(group: Group, compiled: Compiled, part: Part) -> str:
    key, evaluation = names(compiled.key), group.evaluation
    own = changes_own_row(compiled)
    found, repeated = (_own_rows if own else _other_rows)(compiled, part, evaluation)
    # Rows that are changed where they were read are looked for there, and not in all of the table for each chunk.
    it = part.holds("t") if own else equal_as_held(compiled.key, "t", "v")
    returned = compiled.outputs if compiled.definition.keep_before else compiled.key
    changed = (
        f"UPDATE {compiled.target.sql} AS t SET {', '.join(f'{c.sql} = v.{c.sql}' for c in evaluation.shown)} FROM v "
        f"WHERE {it} AND t.ctid = v.lockgate_place RETURNING {names(returned, 't')}"
    )
    kept = evaluation.keep_values(
        f"SELECT {names(compiled.key, 'v')}, {', '.join(f'v.lockgate_o{c.number}' for c in compiled.columns)}, "
        f"{names(compiled.columns, 'c')} FROM v JOIN changed AS c ON {equal_as_held(compiled.key, 'c', 'v')}"
    )
    left_alone = (
        f"SELECT {names(compiled.key, 'v')} FROM v WHERE (SELECT count(*) FROM changed) < (SELECT count(*) FROM v) "
        f"AND NOT EXISTS (SELECT FROM changed AS c WHERE {equal_as_held(compiled.key, 'c', 'v')})"
    )
    again = " UNION ALL ".join([*repeated, left_alone])
    return (
        f"WITH {found}, changed AS ({changed}), {f'kept AS ({kept}), ' if compiled.definition.keep_before else ''}"
        f"again AS (INSERT INTO {group.recheck} ({key}, lockgate_fence) SELECT {names(compiled.key, 'a')}, '0'::xid8 "
        f"FROM ({again}) AS a) SELECT (SELECT count(*) FROM y), (SELECT count(*) FROM changed)"
    )


def changes_own_row(compiled: Compiled) -> bool:
    """Whether each driving row yields one row at most, and that changes the driving row itself."""
    relation = compiled.driving_relation
    plain = compiled.select.plain_outputs
    itself = relation.kind == "r" and relation.oid == compiled.target.oid
    own_key = all(plain.get(c.name) == (compiled.driving.alias, c.name) for c in compiled.key)
    return itself and own_key and not compiled.fan_out


def _own_rows(compiled: Compiled, part: Part, _: Evaluation) -> tuple[str, list[str]]:
    """What is to be changed, as ``v``, with places and old values: they come with the row, and no key comes twice."""
    alias = quote(compiled.driving.alias)
    extra = [(f"{alias}.{c.sql}", f"lockgate_o{c.number}") for c in compiled.columns]
    extra.append((f"{alias}.ctid", "lockgate_place"))
    old = ", ".join(f"y.lockgate_o{c.number}::{c.plain_type}" for c in compiled.columns)
    new = ", ".join(f"y.{c.sql}::{c.plain_type}" for c in compiled.columns)
    return (
        f"y AS MATERIALIZED ({part.yields(compiled, extra)}), v AS NOT MATERIALIZED (SELECT * FROM y "
        f"WHERE {compiled.not_null('y')} AND pg_catalog.record_image_ne(ROW({old}), ROW({new})))"
    ), []


def _other_rows(compiled: Compiled, part: Part, evaluation: Evaluation) -> tuple[str, list[str]]:
    """What is to be changed, as ``v``, looked up by its key; and a query of the keys that come twice."""
    key = names(compiled.key, "y")
    held = ", ".join(f"t.{c.sql} AS lockgate_o{c.number}" for c in compiled.columns)
    return (
        f"y AS MATERIALIZED ({part.yields(compiled)}), "
        f"w AS MATERIALIZED (SELECT DISTINCT ON ({key}) y.* FROM y "
        f"WHERE {compiled.not_null('y')} ORDER BY {key}, {compiled.order('y')}), "
        f"v AS MATERIALIZED (SELECT {names(compiled.outputs, 'w')}, t.ctid AS lockgate_place, {held} "
        f"FROM w JOIN {compiled.target.sql} AS t ON {equal_as_held(compiled.key, 't', 'w')} "
        f"WHERE {evaluation.differs('t', 'w')})"
    ), [f"SELECT {key} FROM y WHERE {compiled.not_null('y')} GROUP BY {key} HAVING count(*) > 1"]


def mark_repeated(conn: Connection[Any], group: Group, compiled: Compiled) -> int:
    """Have the rows of a transform looked at again that several chunks may have changed; return how many.

    An insert finds a key that is already there, an update does not notice that it is the second.
    """
    if not compiled.definition.updates_only or changes_own_row(compiled):
        return 0
    key = names(compiled.key, "y")
    return conn.execute(
        f"INSERT INTO {group.recheck} ({names(compiled.key)}, lockgate_fence) SELECT {key}, '0'::xid8 "
        f"FROM {compiled.keyed(compiled.select.render(), 'y')} "
        f"GROUP BY {key} HAVING count(*) > 1".encode()
    ).rowcount
