"""From what a plan says to a mapping that was checked against the database, or a refusal with place and reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import dict_row

from lockgate.catalog import relations as catalog
from lockgate.catalog.relations import Relation
from lockgate.errors import MappingRefused, PlanError, PrivilegeMissing
from lockgate.mapping import nodetree
from lockgate.mapping.circles import refuse_own_target
from lockgate.mapping.compiled import Base, Compiled, Winner
from lockgate.mapping.definition import Definition
from lockgate.mapping.fanout import may_fan_out
from lockgate.mapping.queries import load
from lockgate.mapping.target import check_target
from lockgate.plan.values import split_driving
from lockgate.sql import tree
from lockgate.sql.select import Occurrence, Select
from lockgate.sql.shape import ShapeRefused
from lockgate.sql.tree import SqlSyntaxError
from lockgate.sql.winner import read_winner
from lockgate.suggest import nearest


def compile_mapping(conn: Connection[Any], definition: Definition) -> Compiled:
    """Check a mapping against the database and understand it. Leaves nothing behind.

    :raises PlanError: for an unknown name, a syntax error or a type that does not fit, with its place.
    :raises MappingRefused: for a SELECT that cannot be kept exact.
    """
    select = _parse(definition)
    target = catalog.named(conn, definition.into, definition.place("table" if definition.updates_only else "into"))
    relations = {o.index: _relation(conn, definition, o) for o in select.occurrences}
    driving = _driving(definition, select)
    winner = _winner(definition, select)
    with conn.transaction(force_rollback=True):
        seen = _probe(conn, definition, select, winner)
        key, columns = check_target(conn, definition, target, seen["outputs"], select)
    _refuse_unstable(conn, definition, seen["tree"])
    driving_relation = relations[driving.index]
    identity = driving_relation.primary_key
    fan_out = may_fan_out(select, relations, driving)
    compiled = Compiled(
        definition=definition,
        select=select,
        target=target,
        key=key,
        columns=columns,
        bases=_bases(select, relations, seen["reads"]),
        driving=driving,
        driving_relation=driving_relation,
        driving_key=identity,
        winner=winner,
        fan_out=fan_out,
    )
    refuse_own_target(compiled)
    _check_rejected(conn, compiled)
    return compiled


def _parse(definition: Definition) -> Select:
    try:
        return Select(definition.select)
    except ShapeRefused as error:
        offset = tree.character_offset(definition.select, error.offset) if error.offset >= 0 else None
        raise MappingRefused(
            error.what, where=definition.place("select", offset=offset), why=error.why, hint=error.hint
        ) from None
    except SqlSyntaxError as error:
        raise PlanError(error.what, where=definition.place("select", offset=error.offset)) from None


def _relation(conn: Connection[Any], definition: Definition, occurrence: Occurrence) -> Relation:
    where = definition.place("select", offset=tree.character_offset(definition.select, occurrence.offset))
    oid = catalog.find(conn, occurrence.schema, occurrence.name)
    if oid is None:
        raise catalog.unknown(conn, occurrence.schema, occurrence.name, where)
    relation = catalog.read(conn, oid)
    if not definition.sync:
        return relation
    reasons = [
        (
            relation.kind == "v",
            "is a view, and a view has no triggers that see its rows change",
            "read its tables",
        ),
        (
            relation.kind == "m",
            "is a materialized view, whose rows change without triggers",
            "read its tables",
        ),
        (
            relation.kind == "f",
            "is a foreign table, whose writers are elsewhere",
            "copy it first, or say `sync: none`",
        ),
        (
            relation.inherited,
            "has child tables by inheritance, whose changes fire other triggers",
            "read the children",
        ),
        (
            relation.persistence != "p",
            "is not a permanent logged table: a crash empties it unseen",
            "make it LOGGED",
        ),
        (
            relation.schema in {"pg_catalog", "information_schema"},
            "belongs to the server",
            "read your own tables",
        ),
    ]
    for found, why, hint in reasons:
        if found:
            raise MappingRefused(f"{relation.label} cannot be kept in step: it {why}", where=where, hint=hint)
    return relation


def _driving(definition: Definition, select: Select) -> Occurrence:
    where = definition.place("from")
    read = split_driving(definition.from_)
    assert read is not None  # the plan's models saw to it
    schema, name, alias = read
    wanted = f"{schema}.{name}"
    found = [o for o in select.occurrences if (o.schema, o.name) == (schema, name) and alias in (None, o.alias)]
    usable = [o for o in found if o.driving]
    if len(usable) == 1:
        return usable[0]
    if len(usable) > 1:
        aliases = ", ".join(f"{wanted} {o.alias}" for o in usable)
        raise PlanError(f"{wanted} is read {len(usable)} times", where=where, hint=f"say which: {aliases}")
    if found:
        raise MappingRefused(
            f"{wanted} cannot drive the batches: it is on the optional side of a LEFT JOIN, in a subquery or in EXISTS",
            where=where,
            hint="name a relation of the outermost FROM that every yielded row comes from",
        )
    known = sorted({f"{o.schema}.{o.name}" for o in select.occurrences if o.driving})
    near = nearest(wanted, known)
    raise PlanError(
        f"the SELECT does not read {wanted}",
        where=where,
        hint=f"did you mean {near}?" if near else f"name one of {', '.join(known)}",
    )


def _winner(definition: Definition, select: Select) -> tuple[Winner, ...]:
    words = list(definition.winner)
    if select.distinct_on:
        if words:
            raise PlanError(
                "both `winner` and DISTINCT ON say which row keeps a key",
                where=definition.place("winner"),
                hint="keep one",
            )
        words = list(select.distinct_order[len(select.distinct_on) :])
    read = []
    for number, text in enumerate(words):
        try:
            expression, direction = read_winner(text)
        except SqlSyntaxError as error:
            raise PlanError(f"{error.what} in {text!r}", where=definition.place("winner", number)) from None
        read.append(Winner(expression, direction))
    return tuple(read)


def _probe(conn: Connection[Any], definition: Definition, select: Select, winner: Sequence[Winner]) -> dict[str, Any]:
    """Let the server analyse the SELECT: as a temporary view, in a transaction that is rolled back."""
    plain = select.render()
    full = select.render(extra=[(word.expression, f"lockgate_w{i}") for i, word in enumerate(winner)])
    try:
        conn.execute(f"CREATE TEMPORARY VIEW lockgate_probe AS {full}".encode())
    except psycopg.Error as error:
        raise _explain(definition, plain, error) from None
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(load("probe")).fetchone()
    assert row is not None  # the view was just made
    count = len(row["outputs"]) - len(winner)
    return {
        "tree": nodetree.parse(row["tree"]),
        "outputs": dict(zip(row["outputs"][:count], row["types"][:count], strict=True)),
        "reads": {(int(oid), int(number)) for oid, number in row["reads"]},
    }


def _explain(definition: Definition, plain: str, error: psycopg.Error) -> PlanError:
    """Say what the server refused; the place is in the plan only when the text was not rewritten."""
    message = (error.diag.message_primary or str(error)).strip()
    position = error.diag.statement_position
    offset = None
    if position and plain == " ".join(definition.select.split()):
        offset = int(position) - 1 - len("CREATE TEMPORARY VIEW lockgate_probe AS ")
    if error.sqlstate == "42501":
        raise PrivilegeMissing(
            f"mapping {definition.name}: {message}",
            where=definition.place("select"),
            hint="GRANT SELECT on the tables it reads, and TEMPORARY on the database, to the role that runs Lockgate",
        ) from None
    hint = (error.diag.message_hint or "").removeprefix("Perhaps you meant to reference the column ").rstrip(".")
    return PlanError(
        f"the SELECT of {definition.name} is refused by the server: {message}",
        where=definition.place("select", offset=offset),
        hint=f"did you mean {hint}?" if hint else "correct the SELECT; functions and types need their schema, too",
    )


def _refuse_unstable(conn: Connection[Any], definition: Definition, analysed: list[Any]) -> None:
    if not definition.sync:
        return
    where = definition.place("select")
    flags = [
        ("hasAggs", "an aggregate"),
        ("hasWindowFuncs", "a window function"),
        ("hasTargetSRFs", "a set-returning function in the output (write it into FROM with LATERAL)"),
    ]
    for flag, what in flags:
        if nodetree.has_flag(analysed, flag):
            raise MappingRefused(f"{what} cannot be kept in step", where=where, hint="or say `sync: none`")
    if nodetree.has_node(analysed, "SQLVALUEFUNCTION") or nodetree.has_node(analysed, "NEXTVALUEEXPR"):
        raise MappingRefused("the current time, user or a sequence differs at each evaluation", where=where)
    casts = nodetree.text_casts(analysed)
    rows = conn.execute(
        load("volatile"),
        {
            "functions": sorted(nodetree.called_functions(analysed)),
            "sources": sorted({source for source, _ in casts}),
            "targets": sorted({target for _, target in casts}),
        },
    ).fetchall()
    if rows:
        function, volatility = rows[0]
        kind = "volatile" if volatility == "v" else "stable"
        raise MappingRefused(
            f"{function} is {kind}: it may yield another value tomorrow for the same row",
            where=where,
            why="backfill, sync and reconcile must all get the same rows from the same data",
            hint="use an immutable form (for example AT TIME ZONE with a named zone), `on_insert:`, or `sync: none`",
        )


def _bases(select: Select, relations: dict[int, Relation], reads: set[tuple[int, int]]) -> tuple[Base, ...]:
    bases = []
    for oid in sorted({relation.oid for relation in relations.values()}):
        occurrences = tuple(index for index, relation in relations.items() if relation.oid == oid)
        relation = relations[occurrences[0]]
        whole = any(select.occurrences[index].whole_row for index in occurrences)
        wanted = {c.number for c in relation.columns if whole or (oid, c.number) in reads}
        for number in list(wanted):
            wanted.update(relation.by_number(number).inputs if relation.by_number(number).generated == "v" else ())
        columns = tuple(c for c in relation.columns if c.number in wanted and c.generated != "v")
        bases.append(Base(relation, columns, occurrences))
    return tuple(bases)


def _check_rejected(conn: Connection[Any], compiled: Compiled) -> None:
    """Each reason must be a condition over one row of the driving relation."""
    relation, alias = compiled.driving_relation, tree.quote(compiled.driving.alias)
    for reason, condition in compiled.definition.rejected.items():
        where = compiled.definition.place("rejected", reason)
        try:
            tree.expression(condition)
            conn.execute(f"EXPLAIN SELECT 1 FROM {relation.sql} AS {alias} WHERE ({condition}\n)".encode())
        except (SqlSyntaxError, psycopg.Error) as error:
            message = error.what if isinstance(error, SqlSyntaxError) else error.diag.message_primary
            over = f"{relation.label} AS {compiled.driving.alias}"
            raise PlanError(
                f"the reason {reason!r} is not a condition over {over}: {message}",
                where=where,
            ) from None
