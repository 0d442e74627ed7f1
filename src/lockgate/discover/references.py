"""What refers to what: foreign keys that are missing, not validated, or of another type; rows that refer to none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from lockgate.discover import names
from lockgate.discover.finding import Finding, Mend
from lockgate.discover.indexes import MANY, free_name, index_on, is_lookup, leads
from lockgate.discover.survey import Survey, Table, Unread
from lockgate.safety.probes.asking import EXAMPLES, key, source
from lockgate.safety.records import Column, Constraint
from lockgate.sql.ddl import ident

_TELLING = 20  # values from which on it tells that (nearly) all of them are there
_NEARLY_ALL = 0.95
_BY_NAME = 0.8  # ... where the name says exactly which table it refers to
_TRIED = 40  # values of a column of uuids that are looked for in each table
_NUMBERS = frozenset({"int2", "int4", "int8"})
_ROLES = frozenset({"parent", "root", "previous", "prev", "next", "original", "duplicate", "superior"})


@dataclass(frozen=True, slots=True)
class Guess:
    """A column that may refer to a table.

    :param exactly: whether its name says so: ``customer_id`` for ``customers``.
    """

    table: Table
    column: Column
    parent: Table
    target: Column
    exactly: bool


def missing(survey: Survey) -> Iterator[Finding]:
    """References that no foreign key keeps, with what they refer to in vain."""
    for table in survey.tables:
        if table.unread or names.is_beside(table.name):
            continue
        held = {
            number
            for each in survey.facts.constraints_of(table.relation.oid)
            if each.type == "f"
            for number in each.columns
        }
        for column in table.columns:
            if column.number in held or column.generated:
                continue
            for guess in guesses(survey, table, column):
                found = _looked(survey, guess)
                if found is not None:
                    yield found
                    break


def guesses(survey: Survey, table: Table, column: Column) -> Iterator[Guess]:
    """What a column may refer to, the likeliest first: by its name, then, of a column of uuids, by its values."""
    yield from named(survey, table, column)
    stem = names.referred(column.name)
    by_values = stem is not None or names.plain(column.name).endswith(("_by", "_ref"))
    if type_name(survey, column) != "uuid" or not by_values or _is_elsewhere(table, column):
        return
    for each, target in (parent for parents in _parents(survey).values() for parent in parents):
        if type_name(survey, target) == "uuid" and _holds_some(survey, table, column, each, target):
            yield Guess(table, column, each, target, False)


def named(survey: Survey, table: Table, column: Column) -> Iterator[Guess]:
    """What a column may refer to by its name; no row is looked at."""
    if _is_elsewhere(table, column):
        return
    stem = names.referred(column.name)
    known = _parents(survey)
    words = {*names.parts(column.name), names.one_of(table.name).split("_")[-1]}
    fitting = [
        (each, target, _fit(stem, column, table, each, target))
        for word in sorted(words)
        for each, target in known.get(word, ())
    ]
    best = max((fit for _, _, fit in fitting), default=0)
    ranked = sorted((item for item in fitting if best and item[2] == best), key=lambda item: _rank(table, item[0]))
    for each, target, fit in ranked[:2]:
        yield Guess(table, column, each, target, fit == 3)


def _is_elsewhere(table: Table, column: Column) -> bool:
    stem = names.referred(column.name)
    return _is_polymorphic(table, column) or names.of_another_system(stem or names.plain(column.name))


def _parents(survey: Survey) -> dict[str, list[tuple[Table, Column]]]:
    """The tables that may be referred to, each with the one column of its primary key, by the last word of its name."""
    if survey.parents is None:
        found = defaultdict(list)
        for table in survey.tables:
            target = _target(survey, table)
            if target is not None and not names.is_beside(table.name):
                found[names.one_of(table.name).split("_")[-1]].append((table, target))
        survey.parents = dict(found)
    return survey.parents


def _rank(table: Table, parent: Table) -> tuple[bool, str]:
    return parent.relation.schema != table.relation.schema, parent.label


def _fit(stem: str | None, column: Column, table: Table, parent: Table, target: Column) -> int:
    """How well a name fits: 3 the table's own, 2 its last words, 1 a role of the same table; 0 not at all."""
    one = names.one_of(parent.name)
    if parent is table and target == column:
        return 0
    if stem is None:
        name = names.plain(column.name)
        by_key = name == f"{one}_{names.plain(target.name)}" or name == one
        return 3 if by_key and parent is not table and column.type == target.type else 0
    if stem in {one, names.plain(parent.name)} or f"{stem}s" == names.plain(parent.name):
        return 3
    if stem in _ROLES:
        return 1 if parent is table else 0
    if stem.endswith(f"_{one}") or (one.endswith(f"_{stem}") and "_" not in stem and len(stem) > 3):
        return 2
    return 0


def _target(survey: Survey, table: Table) -> Column | None:
    """The one column of a table's primary key."""
    index = survey.facts.primary_key(table.relation.oid)
    if index is None or len(index.sorted_by) != 1 or table.unread:
        return None
    return survey.facts.numbered(table.relation.oid, index.sorted_by[0])


def _is_polymorphic(table: Table, column: Column) -> bool:
    """Whether another column says to which table it refers."""
    stem = names.plain(column.name).rpartition("_")[0]
    others = {names.plain(each.name) for each in table.columns if each is not column}
    return bool({f"{stem}_type", f"{stem}_kind", f"{stem}_table", f"{stem}_class", f"{stem}_model"} & others)


def type_name(survey: Survey, column: Column) -> str:
    """The name of a column's type, without the domains around it; empty if it is not known."""
    known = survey.facts.types.get(survey.facts.base_type(column.type))
    return known.name if known is not None else ""


def _holds_some(survey: Survey, table: Table, column: Column, parent: Table, target: Column) -> bool:
    """Whether most of some values of a column are in a table's key."""
    name = sql.Identifier(column.name)
    query = sql.SQL(
        "SELECT count(*), count(*) FILTER (WHERE EXISTS (SELECT FROM {parent} WHERE parent.{key} = some.value)) "
        "FROM (SELECT {name} AS value FROM {rows} WHERE {name} IS NOT NULL LIMIT {tried}) AS some"
    ).format(
        parent=source(parent.relation, "parent"),
        key=sql.Identifier(target.name),
        name=name,
        rows=source(table.relation),
        tried=sql.Literal(_TRIED),
    )
    try:
        [(tried, there)] = survey.ask(query, [table.relation, parent.relation], [column.name])
    except Unread:
        return False
    return bool(tried >= _TELLING and there >= _NEARLY_ALL * tried)


def _looked(survey: Survey, guess: Guess) -> Finding | None:
    """What the values tell of a guess: nothing, if they are not (nearly) all there."""
    table, column, parent, target = guess.table, guess.column, guess.parent, guess.target
    mine, theirs = type_name(survey, column), type_name(survey, target)
    alike = mine == theirs or {mine, theirs} <= _NUMBERS
    if not alike and not {mine, theirs} <= (_NUMBERS | {"uuid", "text", "varchar", "bpchar", "numeric"}):
        return None
    query = _counting(guess, texts=not alike)
    try:
        [(values, kinds, lost)] = survey.ask(query, [table.relation, parent.relation], [column.name])
    except Unread as error:
        survey.skip(f"whether {table.label}.{column.name} refers to {parent.label}", error.why)
        return None
    least = _BY_NAME if guess.exactly else _NEARLY_ALL
    if values < _TELLING or kinds < 2 or values - lost < least * values:
        return None
    if not guess.exactly and theirs in _NUMBERS and kinds < _TELLING and lost:
        return None
    said = f"{values - lost:,} of {values:,} values of {table.label}.{column.name} are keys of {parent.label}"
    if not alike:
        return Finding(
            "DB403",
            table.label,
            (column.name,),
            f"{said}, and its type is {column.type_name}, where {target.name} there is {target.type_name}: no foreign "
            "key "
            "can be made, and each join converts every value.",
            survey.text(query),
            Mend(
                f"Give it type {target.type_name}: a new column, filled by a transform, a foreign key, and a cutover.",
                parent=parent.sql,
                hinders=f"{table.label}.{column.name} refers to it, and no foreign key can keep that",
            ),
            count=lost,
            of=values,
            basis="all rows were counted",
        )
    return _missing(survey, guess, query, values, lost, said)


def _missing(survey: Survey, guess: Guess, query: sql.Composable, values: int, lost: int, said: str) -> Finding:
    table, column, parent, target = guess.table, guess.column, guess.parent, guess.target
    name = free_name(survey, table, (column.name,), "fkey")
    statement = (
        f"ALTER TABLE {table.sql} ADD CONSTRAINT {ident(name)} FOREIGN KEY ({ident(column.name)}) "
        f"REFERENCES {parent.sql} ({ident(target.name)});"
    )
    few = is_lookup(survey, parent.relation.oid)
    needs_index = table.rows >= MANY and not few and not leads(survey, table, (column.number,))
    unindexed = f" No index of {table.label} begins with {column.name}." if needs_index else ""
    index = index_on(survey, table, (column.name,)).index if needs_index else ""
    orphans = "" if not lost else f": {lost:,} row{'' if lost == 1 else 's'} refer{'s' if lost == 1 else ''} to none"
    return Finding(
        "DB402" if lost else "DB401",
        table.label,
        (column.name,),
        f"{said}{orphans}, and no foreign key keeps it so.{unindexed}",
        survey.text(query),
        Mend(
            f"{statement}{f' {index}' if index else ''}",
            index=index,
            constraint=statement,
            first=f"the rows of {table.label} that refer to none have to go, or to lose the value" if lost else "",
            parent=parent.sql,
            hinders=_hinders(survey, guess, lost),
        ),
        count=lost,
        of=values,
        basis="all rows were counted",
        examples=_orphan_keys(survey, guess) if lost else (),
    )


def _hinders(survey: Survey, guess: Guess, lost: int) -> str:
    """Why rows that are referred to cannot be put aside, even if the foreign key is there by then."""
    table, refers = guess.table, f"{guess.table.label}.{guess.column.name} refers to it"
    if lost:
        return f"{refers}, and no foreign key keeps that, as some rows refer to none"
    if table is guess.parent:
        return f"{refers}, and a table that refers to itself is not put in order by `dedupe`"
    if survey.facts.primary_key(table.relation.oid) is None:
        return f"{refers}, and {table.label} needs a primary key"
    return acknowledged(survey, {table.relation.oid})


def acknowledged(survey: Survey, tables: set[int]) -> str:
    """What to say of triggers of some tables, by number, so that a step may change rows; empty if there are none."""
    fire = sorted({each.name for each in survey.facts.triggers if each.relation in tables and each.enabled != "D"})
    return f"say that these triggers may fire: `acknowledge_triggers: [{', '.join(fire)}]`" if fire else ""


def _counting(guess: Guess, *, texts: bool) -> sql.Composed:
    """How many values there are, how many different ones, and how many of the values are in vain."""
    cast = sql.SQL("::text") if texts else sql.SQL("")
    return sql.SQL(
        "SELECT coalesce(sum(n), 0)::bigint, count(*), coalesce(sum(n) FILTER (WHERE parent.there IS NULL), 0)::bigint "
        "FROM (SELECT {name}{cast} AS value, count(*) AS n FROM {rows} WHERE {name} IS NOT NULL GROUP BY 1) AS child "
        "LEFT JOIN (SELECT {key}{cast} AS value, true AS there FROM {parent}) AS parent ON parent.value = child.value"
    ).format(
        name=sql.Identifier(guess.column.name),
        cast=cast,
        rows=source(guess.table.relation),
        key=sql.Identifier(guess.target.name),
        parent=source(guess.parent.relation),
    )


def _orphan_keys(survey: Survey, guess: Guess) -> tuple[tuple[str | None, ...], ...]:
    query = sql.SQL(
        "SELECT {} FROM {} WHERE child.{} IS NOT NULL AND NOT EXISTS (SELECT FROM {} WHERE parent.{} = child.{}) "
        "LIMIT {}"
    )
    return survey.shown(
        query.format(
            key(survey.facts, guess.table.relation, "child"),
            source(guess.table.relation, "child"),
            sql.Identifier(guess.column.name),
            source(guess.parent.relation, "parent"),
            sql.Identifier(guess.target.name),
            sql.Identifier(guess.column.name),
            sql.Literal(EXAMPLES),
        ),
        guess.table,
        [guess.column.name],
    )


def mismatched(survey: Survey) -> Iterator[Finding]:
    """Foreign keys between columns of different types."""
    by_oid = {table.relation.oid: table for table in survey.tables}
    seen: dict[int, set[int]] = defaultdict(set)
    for constraint in _foreign_keys(survey):
        table = by_oid.get(constraint.relation)
        parent = survey.facts.relations.get(constraint.referenced)
        if table is None or parent is None:
            continue
        for number, there in zip(constraint.columns, constraint.referenced_columns, strict=True):
            mine = survey.facts.numbered(constraint.relation, number)
            theirs = survey.facts.numbered(constraint.referenced, there)
            if mine is None or theirs is None or number in seen[constraint.relation]:
                continue
            same = survey.facts.base_type(mine.type) == survey.facts.base_type(theirs.type)
            texts = {type_name(survey, mine), type_name(survey, theirs)} <= {"text", "varchar"}
            if same or texts:
                continue
            seen[constraint.relation].add(number)
            yield Finding(
                "DB403",
                table.label,
                (mine.name,),
                f"Foreign key {constraint.name} lets {table.label}.{mine.name} ({mine.type_name}) refer to "
                f"{parent.label}.{theirs.name} ({theirs.type_name}).",
                f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE oid = {constraint.oid}",
                Mend(f"Give {mine.name} type {theirs.type_name}: a new column, filled by a transform, and a cutover."),
            )


def _foreign_keys(survey: Survey) -> Iterator[Constraint]:
    return (each for each in survey.facts.constraints if each.type == "f" and not each.parent)
