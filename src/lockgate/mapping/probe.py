"""What the server understands of a SELECT: names, types, what it reads, and what it calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import dict_row

from lockgate.errors import MappingRefused, PlanError, PrivilegeMissing
from lockgate.mapping import nodetree
from lockgate.mapping.compiled import Winner
from lockgate.mapping.definition import Definition
from lockgate.mapping.nodetree import TreeNode
from lockgate.mapping.privileges import missing
from lockgate.mapping.queries import load
from lockgate.mapping.target import NOT_ACCEPTED
from lockgate.sql import places, tree
from lockgate.sql.select import Select

_EXPLAIN = "EXPLAIN "
_MEANT = "Perhaps you meant to reference the column "


@dataclass(frozen=True, slots=True)
class Probed:
    """A SELECT as the server analysed it.

    :param tree: its node tree.
    :param outputs: name -> type.
    :param reads: (oid of a relation, number of a column) for each column that it reads.
    """

    tree: Sequence[TreeNode]
    outputs: Mapping[str, str]
    reads: frozenset[tuple[int, int]]


def probe(conn: Connection[Any], definition: Definition, select: Select, winner: Sequence[Winner]) -> Probed:
    """Let the server analyse the SELECT: as a temporary view, in a transaction that the caller rolls back.

    :raises PlanError: for what the server refuses, at its place in the text.
    """
    _explain(conn, definition)
    for number, word in enumerate(winner):
        _order(conn, definition, select, number, word)
    full = select.render(extra=[(word.expression, f"lockgate_w{i}") for i, word in enumerate(winner)])
    try:
        conn.execute(f"CREATE TEMPORARY VIEW lockgate_probe AS {full}".encode())
    except NOT_ACCEPTED as error:
        raise _refusal(definition, error, None) from None
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(load("probe")).fetchone()
    assert row is not None  # the view was just made
    count = len(row["outputs"]) - len(winner)
    return Probed(
        tree=nodetree.parse(row["tree"]),
        outputs=dict(zip(row["outputs"][:count], row["types"][:count], strict=True)),
        reads=frozenset((int(oid), int(number)) for oid, number in row["reads"]),
    )


def _explain(conn: Connection[Any], definition: Definition) -> None:
    """As it is written in the plan, so that the server's positions are places in the plan."""
    try:
        with conn.transaction():
            conn.execute(f"{_EXPLAIN}{definition.select}".encode())
    except NOT_ACCEPTED as error:
        position = error.diag.statement_position
        raise _refusal(definition, error, int(position) - 1 - len(_EXPLAIN) if position else None) from None


def _order(conn: Connection[Any], definition: Definition, select: Select, number: int, word: Winner) -> None:
    """A word of the winner must be an expression over the relations of FROM, of a type that has an order."""
    yields = select.render(extra=[(word.expression, "lockgate_w")])
    try:
        with conn.transaction():
            conn.execute(f"EXPLAIN SELECT FROM ({yields}) AS y ORDER BY y.lockgate_w{word.direction}".encode())
    except NOT_ACCEPTED as error:
        raise PlanError(
            f"the winner of {definition.name} cannot be ordered by {word.expression}: {error.diag.message_primary}",
            where=definition.place("winner", number) if definition.winner else definition.place("select"),
            hint=f"order by an expression over {_over(select)}",
        ) from None


def _over(select: Select) -> str:
    return "the outputs of the SELECT" if select.whole else "the relations of the outermost FROM"


def _refusal(definition: Definition, error: psycopg.Error, offset: int | None) -> PlanError | PrivilegeMissing:
    message = (error.diag.message_primary or str(error)).strip()
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return missing(
            error,
            f"mapping {definition.name}",
            where=definition.place("select"),
            hint="GRANT SELECT on the tables it reads, and TEMPORARY on the database, to the role that runs Lockgate",
        )
    advice = error.diag.message_hint or "correct the SELECT; functions and types need their schema, too"
    if advice.startswith(_MEANT):
        advice = f"did you mean {advice.removeprefix(_MEANT).rstrip('.')}?"
    return PlanError(
        f"the SELECT of {definition.name} is refused by the server: {message}",
        where=definition.place("select", offset=offset),
        hint=advice,
    )


def refuse_unsteady(
    conn: Connection[Any], definition: Definition, select: Select, analysed: Sequence[TreeNode]
) -> None:
    """Refuse what yields other rows for each chunk or, with sync, at another time.

    :raises MappingRefused: with the place, as far as the text shows it.
    """
    _refuse_sets(conn, definition, select, analysed)
    if not definition.sync:
        return
    if nodetree.has_node(analysed, "SQLVALUEFUNCTION") or nodetree.has_node(analysed, "NEXTVALUEEXPR"):
        raise MappingRefused(
            "the current time, user or a sequence differs at each evaluation", where=definition.place("select")
        )
    casts = nodetree.text_casts(analysed)
    row = conn.execute(
        load("volatile"),
        {
            "functions": sorted(nodetree.called_functions(analysed)),
            "sources": sorted({source for source, _ in casts}),
            "targets": sorted({target for _, target in casts}),
        },
    ).fetchone()
    if row is None:
        return
    function, volatility, name, operators = row
    offset = max(places.of_call(select.tree, {name}), places.of_operator(select.tree, operators))
    kind = "volatile" if volatility == "v" else "stable"
    raise MappingRefused(
        f"{function} is {kind}: it may yield another value tomorrow for the same row",
        where=_place(definition, offset if offset >= 0 else places.of_cast(select.tree)),
        why="backfill, sync and reconcile must all get the same rows from the same data",
        hint="use an immutable form (for example AT TIME ZONE with a named zone), `on_insert:`, or `sync: none`",
    )


_SETS = (
    ("hasAggs", "an aggregate", "keep the rows, and aggregate in a view of the new model"),
    ("hasWindowFuncs", "a window function", "use `winner:` to say which row keeps a key"),
    ("hasTargetSRFs", "a set-returning function in the output", "write it into FROM with LATERAL"),
)


def is_set(analysed: Sequence[TreeNode]) -> bool:
    """Whether a SELECT yields of some rows something else than of all: aggregates and their like."""
    return any(nodetree.has_flag(analysed, flag) for flag, _, _ in _SETS)


def _refuse_sets(conn: Connection[Any], definition: Definition, select: Select, analysed: Sequence[TreeNode]) -> None:
    """Aggregates and their like: of a chunk of the rows they yield something else than of all."""
    for flag, what, hint in _SETS:
        if nodetree.has_flag(analysed, flag):
            names = conn.execute(
                "SELECT proname FROM pg_catalog.pg_proc WHERE oid = ANY (%s)",
                (sorted(nodetree.set_functions(analysed)),),
            )
            offset = places.of_call(select.tree, {str(name) for (name,) in names})
            raise MappingRefused(f"{what} cannot be kept in step", where=_place(definition, offset), hint=hint)


def _place(definition: Definition, offset: int) -> str:
    known = tree.character_offset(definition.select, offset) if offset >= 0 else None
    return definition.place("select", offset=known)
