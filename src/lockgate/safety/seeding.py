"""What the rules know of tables before the first text: what the database holds."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.facts import Facts
from lockgate.safety.growing import not_nulls
from lockgate.safety.known import Bound, Column, Key, Known, Table, key_of
from lockgate.safety.records import Constraint, Index, Relation
from lockgate.safety.subject import Subject
from lockgate.sql import ddl, tree
from lockgate.sql.tree import SqlSyntaxError, expression, strings

_KINDS = {
    "c": "CONSTR_CHECK",
    "p": "CONSTR_PRIMARY",
    "u": "CONSTR_UNIQUE",
    "f": "CONSTR_FOREIGN",
    "n": "CONSTR_NOTNULL",
}
_TABLES = frozenset({"r", "p", "f"})


def known(facts: Facts) -> Known:
    """The types of a database; its tables are taken in when texts name them."""
    found = Known()
    for kind in facts.types.values():
        name = key_of((kind.schema, kind.name))
        if kind.kind == "e":
            found.types[name] = "enum"
        elif kind.kind == "d":
            found.types[name] = "constrained" if facts.domain_constrained(kind.oid) else "domain"
    return found


def seed(found: Known, facts: Facts, subject: Subject, seen: set[int]) -> None:
    """Take in the tables that a text names, as if texts of long ago had made them: what texts do to them is followed.

    A partitioned table comes with its partitions.

    :param seen: oids of those that were taken in for a text before.
    """
    for relation in (each for named in _named(facts, subject) for each in _with_partitions(facts, named)):
        if relation.kind not in _TABLES or relation.oid in seen:
            continue
        seen.add(relation.oid)
        table = _table(facts, relation)
        name = key_of((relation.schema, relation.name))
        found.tables.setdefault(name, table)
        if relation.schema != "public" and facts.relation("", relation.name) is relation:
            found.tables.setdefault(("", relation.name), table)
        for index in facts.indexes_of(relation.oid):
            found.index_of[key_of((index.schema, index.name))] = name


def _with_partitions(facts: Facts, relation: Relation) -> Iterator[Relation]:
    return facts.family(relation) if relation.kind == "p" else iter((relation,))


def _named(facts: Facts, subject: Subject) -> Iterator[Relation]:
    """The relations whose names stand in a text, or whose indexes' names do."""
    for statement in subject.statements:
        names = [(node.schemaname, node.relname) for node in tree.walk(statement.node) if tree.kind(node) == "RangeVar"]
        if statement.kind == "DropStmt":
            names += [(each[-2] if len(each) > 1 else "", each[-1]) for each in ddl.objects(statement.node) if each]
        for schema, name in names:
            index = facts.index(schema, name)
            relation = facts.relations.get(index.relation) if index else facts.relation(schema, name)
            if relation is not None:
                yield relation


def _table(facts: Facts, relation: Relation) -> Table:
    table = Table(whole=True)
    for column in facts.columns.get(relation.oid, ()):
        table.columns[column.name] = Column(column.type_name.removeprefix("public."), column.not_null)
    for constraint in facts.constraints_of(relation.oid):
        if constraint.type in _KINDS:
            table.bounds[constraint.name] = _bound(facts, constraint)
    for index in facts.indexes_of(relation.oid):
        if index.valid and index.predicate is None:
            table.indexes[index.name] = _columns(facts, index)
    if relation.partitioned_by is not None:
        table.partitioned = _partitioned(facts, relation)
    if relation.partition and relation.parent:
        table.parent = _key(facts, relation.parent)
    return table


def _bound(facts: Facts, constraint: Constraint) -> Bound:
    columns = facts.names_of(constraint.relation, constraint.columns)
    if constraint.type == "c":
        columns = _not_null_by(constraint.expression or "true")
    return Bound(_KINDS[constraint.type], columns, constraint.validated and constraint.enforced)


def _not_null_by(check: str) -> tuple[str, ...]:
    try:
        return not_nulls(expression(check))
    except SqlSyntaxError:  # of a newer server than the parser knows
        return ()


def _columns(facts: Facts, index: Index) -> tuple[str, ...]:
    found = (facts.numbered(index.relation, number) for number in index.sorted_by)
    return tuple(column.name if column else "" for column in found)


def _partitioned(facts: Facts, relation: Relation) -> tuple[str, ...]:
    names = {column.name for column in facts.columns.get(relation.oid, ())}
    return tuple(part if part in names else "" for part in partition_key(relation))


def partition_key(relation: Relation) -> tuple[str, ...]:
    """The partition key: names of columns as the catalog holds them, or expressions as SQL.

    Empty where it cannot be read, because it names a collation or an operator class.
    """
    _, _, inside = (relation.partitioned_by or "").partition(" ")
    try:
        targets = tree.parse_one(f"SELECT {inside.removeprefix('(').removesuffix(')')}").stmt.select_stmt.target_list
    except SqlSyntaxError:
        return ()
    found = []
    for target in targets:
        value = tree.unwrap(target.res_target.val)
        plain = value.DESCRIPTOR.name == "ColumnRef"
        found.append(strings(value.fields)[-1] if plain else ddl.expression(target.res_target.val, values=True))
    return tuple(found)


def _key(facts: Facts, oid: int) -> Key:
    relation = facts.relations.get(oid)
    return key_of((relation.schema, relation.name)) if relation else ("", "")
