"""From what a plan says to a mapping that was checked against the database, or a refusal with place and reason."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from psycopg import Connection

from lockgate.catalog.relations import Reader, Relation
from lockgate.errors import MappingRefused, PlanError
from lockgate.mapping import nodetree
from lockgate.mapping.changelog import refuse_too_many
from lockgate.mapping.circles import refuse_own_target
from lockgate.mapping.compiled import Base, Compiled, Winner
from lockgate.mapping.definition import Definition
from lockgate.mapping.fanout import may_fan_out, may_repeat_key
from lockgate.mapping.probe import is_set, probe, refuse_unsteady
from lockgate.mapping.target import NOT_ACCEPTED, check_target
from lockgate.plan.values import split_driving
from lockgate.sql import tree
from lockgate.sql.select import Occurrence, Select
from lockgate.sql.shape import ShapeRefused
from lockgate.sql.tree import SqlSyntaxError
from lockgate.sql.whole import Whole
from lockgate.sql.winner import read_winner
from lockgate.suggest import nearest

_TABLE_COLUMNS = 1600
_IN_BLOCKS = ("r", "p", "m")


def compile_mapping(conn: Connection[Any], definition: Definition, reader: Reader | None = None) -> Compiled:
    """Check a mapping against the database and understand it. Leaves nothing behind.

    :param reader: of this connection, for mappings that are understood together.
    :raises PlanError: for an unknown name, a syntax error or a type that does not fit, with its place.
    :raises MappingRefused: for a SELECT that cannot be kept exact.
    """
    reader = reader or Reader(conn)
    select = _parse(definition)
    if not (select.whole or definition.sync) and not _has_pieces(conn, reader, definition, select):
        select = _parse_whole(definition, "it yields of some rows of the source something else than of all")
    target = reader.named(definition.into, definition.place("table" if definition.updates_only else "into"))
    relations = {o.index: _relation(reader, definition, o) for o in select.occurrences}
    driving = _driving(definition, select)
    _check_distinct(definition, select)
    winner = _winner(definition, select)
    with conn.transaction(force_rollback=True):
        seen = probe(conn, definition, select, winner)
        bases = _bases(select, relations, seen.reads, definition.place("select"))
        _refuse_wide(definition, bases, seen.outputs)
        key, columns = check_target(conn, definition, target, seen.outputs, select)
    if not select.whole:
        refuse_unsteady(conn, definition, select, seen.tree)
    driving_relation = relations[driving.index]
    identity = driving_relation.primary_key
    fan_out = select.whole or may_fan_out(select, relations, driving)
    compiled = Compiled(
        definition=definition,
        select=select,
        target=target,
        key=key,
        columns=columns,
        bases=bases,
        driving=driving,
        driving_relation=driving_relation,
        driving_key=identity,
        winner=winner,
        fan_out=fan_out,
    )
    refuse_own_target(compiled)
    if select.whole:
        _require_winner_of_whole(compiled, repeats=nodetree.has_flag(seen.tree, "hasTargetSRFs"))
    else:
        _require_winner(compiled, relations)
    _check_rejected(conn, compiled)
    return compiled


def _parse(definition: Definition) -> Select:
    try:
        return Select.of(definition.select)
    except ShapeRefused as error:
        if _may_be_whole(definition):
            return _parse_whole(definition, error.what)
        raise _shape_refused(definition, error) from None
    except SqlSyntaxError as error:
        raise PlanError(error.what, where=definition.place("select", offset=error.offset)) from None


def _may_be_whole(definition: Definition) -> bool:
    """Whether what cannot be kept in step may be copied once: a table that is filled, and does not follow."""
    return not definition.sync and not definition.updates_only


def _has_pieces(conn: Connection[Any], reader: Reader, definition: Definition, select: Select) -> bool:
    """Whether a SELECT yields of the block ranges of its driving relation, put together, what it yields of all.

    What a winner is made of depends on the answer, so that it is not looked at here.
    """
    relation = _relation(reader, definition, _driving(definition, select))
    if relation.kind not in _IN_BLOCKS or relation.inherited:
        if definition.updates_only:
            raise MappingRefused(
                f"{relation.label} cannot drive the batches: its rows are not in blocks of its own",
                where=definition.place("from"),
                hint="name a table that it reads",
            )
        return False
    # Only the server knows an aggregate by its name.
    with conn.transaction(force_rollback=True):
        return definition.updates_only or not is_set(probe(conn, definition, select, ()).tree)


def _parse_whole(definition: Definition, because: str) -> Select:
    for part, value in (("rejected", definition.rejected), ("not_kept", definition.not_kept)):
        if value:
            raise MappingRefused(
                f"`{part}` is about single rows of the source, and this SELECT is copied whole",
                where=definition.place(part),
                why=f"{because}; so nobody can tell what became of one row of the source",
                hint="leave it out, or write a SELECT that can be read in pieces",
            )
    try:
        return Whole(definition.select)
    except ShapeRefused as error:
        raise _shape_refused(definition, error) from None


def _shape_refused(definition: Definition, error: ShapeRefused) -> MappingRefused:
    offset = tree.character_offset(definition.select, error.offset) if error.offset >= 0 else None
    return MappingRefused(error.what, where=definition.place("select", offset=offset), why=error.why, hint=error.hint)


def _relation(reader: Reader, definition: Definition, occurrence: Occurrence) -> Relation:
    where = definition.place("select", offset=tree.character_offset(definition.select, occurrence.offset))
    relation = reader.find(occurrence.schema, occurrence.name, where)
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
    if usable and select.whole:
        return usable[0]
    if len(usable) == 1:
        if usable[0].alias.startswith("lockgate_"):
            raise PlanError(
                f'{wanted} cannot be called "{usable[0].alias}"',
                where=where,
                why="names that begin with lockgate_ are Lockgate's own",
            )
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


def _check_distinct(definition: Definition, select: Select) -> None:
    distinct = select.distinct
    if distinct is None:
        return
    if definition.winner:
        raise PlanError(
            "both `winner` and DISTINCT ON say which row keeps a key",
            where=definition.place("winner"),
            hint="keep one",
        )
    key = set(definition.key)
    if not key <= set().union(*distinct.on) or not all(names & key for names in distinct.on):
        raise MappingRefused(
            f"DISTINCT ON must be on the key ({', '.join(definition.key)})",
            where=definition.place("select", offset=tree.character_offset(definition.select, distinct.offset)),
            why="rows that it leaves out would come back when their keys are looked up one by one",
            hint="write it on the outputs of the key, or use WHERE",
        )


def _winner(definition: Definition, select: Select) -> tuple[Winner, ...]:
    words = definition.winner if select.distinct is None else select.distinct.words
    read = []
    for number, text in enumerate(words):
        try:
            expression, direction = read_winner(text)
        except SqlSyntaxError as error:
            raise PlanError(f"{error.what} in {text!r}", where=definition.place("winner", number)) from None
        read.append(Winner(expression, direction))
    return tuple(read)


def _require_winner(compiled: Compiled, relations: dict[int, Relation]) -> None:
    """Where several rows may yield one key with different columns, the plan must say which of them stands."""
    if compiled.winner or not compiled.columns:
        return
    key = [column.name for column in compiled.key]
    if not may_repeat_key(compiled.select, relations, compiled.driving, key, fan_out=compiled.fan_out):
        return
    raise MappingRefused(
        f"several rows may yield one key ({', '.join(key)}), and nothing says which of them stands",
        where=compiled.definition.place("key"),
        why="no unique index of what the SELECT reads shows that the key tells its rows apart",
        hint="order them by `winner:`, such as [x.updated_at DESC], or by the driving key if any of them will do"
        if compiled.select.distinct is None
        else "give DISTINCT ON an ORDER BY that says more than the key",
    )


def _require_winner_of_whole(compiled: Compiled, *, repeats: bool) -> None:
    """The same of a SELECT that is copied whole, of which no index tells anything.

    :param repeats: whether a row of it may become several by a function in its outputs.
    """
    select, key = compiled.select, [column.name for column in compiled.key]
    assert isinstance(select, Whole)
    if compiled.winner or not compiled.columns or (select.has_each_once(key) and not repeats):
        return
    raise MappingRefused(
        f"several rows may yield one key ({', '.join(key)}), and nothing says which of them stands",
        where=compiled.definition.place("key"),
        why="the SELECT is copied whole, and it is not grouped by the key",
        hint="GROUP BY the key, or order the rows of one key by `winner:`, over outputs of the SELECT",
    )


def _bases(
    select: Select, relations: dict[int, Relation], reads: frozenset[tuple[int, int]], where: str
) -> tuple[Base, ...]:
    bases = []
    for oid in sorted({relation.oid for relation in relations.values()}):
        occurrences = tuple(index for index, relation in relations.items() if relation.oid == oid)
        relation = relations[occurrences[0]]
        whole = any(select.occurrences[index].whole_row for index in occurrences)
        wanted = {c.number for c in relation.columns if whole or (oid, c.number) in reads}
        for number in list(wanted):
            wanted.update(relation.by_number(number).inputs if relation.by_number(number).generated == "v" else ())
        columns = tuple(c for c in relation.columns if c.number in wanted and c.generated != "v")
        own = next((c.name for c in columns if c.name.startswith("lockgate_")), None)
        if own:
            raise MappingRefused(
                f'column "{own}" of {relation.label} cannot be followed',
                where=where,
                why="names that begin with lockgate_ are Lockgate's own",
            )
        bases.append(Base(relation, columns, occurrences))
    return tuple(bases)


def _refuse_wide(definition: Definition, bases: tuple[Base, ...], outputs: Collection[str]) -> None:
    """Refuse what would need a table of more columns than the server lets one have."""
    where = definition.place("select")
    for base in bases if definition.sync else ():
        refuse_too_many(base.relation, len(base.columns), where)
    changed = len(outputs) - len(definition.key)
    if definition.keep_before and len(outputs) + changed > _TABLE_COLUMNS:
        raise MappingRefused(
            f"{changed} columns are too many for their values of before to be kept",
            where=where,
            why=f"they are kept beside the new ones, and a table has {_TABLE_COLUMNS} columns at most",
            hint="change them by several transforms, or say `keep_before: false`",
        )


def _check_rejected(conn: Connection[Any], compiled: Compiled) -> None:
    """Each reason must be a condition over one row of the driving relation."""
    relation, alias = compiled.driving_relation, tree.quote(compiled.driving.alias)
    for reason, condition in compiled.definition.rejected.items():
        where = compiled.definition.place("rejected", reason)
        try:
            tree.expression(condition)
            conn.execute(f"EXPLAIN SELECT 1 FROM {relation.sql} AS {alias} WHERE ({condition}\n)".encode())
        except (SqlSyntaxError, *NOT_ACCEPTED) as error:
            message = error.what if isinstance(error, SqlSyntaxError) else error.diag.message_primary
            over = f"{relation.label} AS {compiled.driving.alias}"
            raise PlanError(
                f"the reason {reason!r} is not a condition over {over}: {message}",
                where=where,
            ) from None
