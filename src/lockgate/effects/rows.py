"""Statements that read and write rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lockgate.effects.gathering import Gathering
from lockgate.effects.known import Constraint, Relation
from lockgate.effects.model import Mode
from lockgate.sql.tree import Node, enum, kind, strings, unwrap, walk

_CASCADE, _SET_NULL, _SET_DEFAULT = "c", "n", "d"


def read(gathering: Gathering, node: Node, *, but: Iterable[Node] = ()) -> None:
    """Every relation that a query names, and what its views read.

    :param but: names that the statement writes to, or makes.
    """
    gathering.planned = True
    parts = list(walk(node))
    locked = (name for inner in parts if kind(inner) == "LockingClause" for name in inner.locked_rels)
    others = [*but, *map(unwrap, locked)]
    for name in named(parts):
        if name not in others:
            see(gathering, gathering.named(name), Mode.ACCESS_SHARE)
    for inner in parts:
        if kind(inner) == "SelectStmt" and inner.locking_clause:
            _lock_rows(gathering, inner)
        if kind(inner) in {"InsertStmt", "UpdateStmt", "DeleteStmt"} and inner is not node and inner != node:
            write(gathering, inner)


def named(parts: list[Node]) -> Iterator[Node]:
    """The ``RangeVar`` of each relation that the parts of a query name, without what WITH gives a name to."""
    made = {inner.ctename for inner in parts if kind(inner) == "CommonTableExpr"}
    names = (inner for inner in parts if kind(inner) == "RangeVar")
    return (name for name in names if name.schemaname or name.relname not in made)


def read_all(gathering: Gathering, node: Node) -> None:
    """``SelectStmt``, with INTO too."""
    read(gathering, node, but=[node.into_clause.rel] if node.HasField("into_clause") else [])


def see(gathering: Gathering, relation: Relation, mode: Mode) -> None:
    """A lock on a relation, its parts, and what it reads if it is a view."""
    for member in gathering.family(relation):
        gathering.lock(member, mode)
    if relation.kind == "v":
        for source in gathering.each(relation.reads):
            see(gathering, source, mode)


def copy(gathering: Gathering, node: Node) -> None:
    """``CopyStmt``."""
    if node.HasField("query"):
        read(gathering, node.query)
    elif node.is_from:
        relation = gathering.named(node.relation)
        _insert(gathering, relation, strings(node.attlist), [])
    else:
        relation = gathering.named(node.relation)
        gathering.lock(relation, Mode.ACCESS_SHARE)
        gathering.scan(relation)


def write(gathering: Gathering, node: Node) -> None:
    """``InsertStmt``, ``UpdateStmt``, ``DeleteStmt``, ``MergeStmt``."""
    read(gathering, node, but=[node.relation])
    relation = gathering.named(node.relation)
    match kind(node):
        case "InsertStmt":
            names = [unwrap(column).name for column in node.cols]
            _insert(gathering, relation, names, _values(node))
            if node.HasField("on_conflict_clause"):
                _update(gathering, relation, _assigned(node.on_conflict_clause.target_list))
        case "UpdateStmt":
            _update(gathering, relation, _assigned(node.target_list))
            _whole(gathering, relation, node)
        case "DeleteStmt":
            _delete(gathering, relation)
            _whole(gathering, relation, node)
        case "MergeStmt":
            _merge(gathering, relation, node)


def _merge(gathering: Gathering, relation: Relation, node: Node) -> None:
    for clause in map(unwrap, node.merge_when_clauses):
        match enum(clause, "command_type"):
            case "CMD_INSERT":
                _insert(gathering, relation, [unwrap(column).name for column in clause.target_list], [])
            case "CMD_UPDATE":
                _update(gathering, relation, _assigned(clause.target_list))
            case "CMD_DELETE":
                _delete(gathering, relation)


def _lock_rows(gathering: Gathering, select: Node) -> None:
    for clause in map(unwrap, select.locking_clause):
        names = {unwrap(name).relname for name in clause.locked_rels}
        for source in select.from_clause:
            for inner in walk(source):
                alias = inner.alias.aliasname if kind(inner) == "RangeVar" else ""
                if kind(inner) == "RangeVar" and (not names or (alias or inner.relname) in names):
                    see(gathering, gathering.named(inner), Mode.ROW_SHARE)


def _insert(gathering: Gathering, relation: Relation, names: Sequence[str], rows: list[list[Node]]) -> None:
    """New rows: those that their foreign keys refer to are looked at and locked.

    :param names: of the columns that are said; none for all.
    :param rows: the expressions of VALUES, as far as the statement is made of such.
    """
    base = _base(gathering, relation)
    said = names or [column.name for column in base.columns][: len(rows[0]) if rows else None]
    for member in gathering.family(base):
        gathering.lock(member, Mode.ROW_EXCLUSIVE)
        for known in member.foreign_keys:
            if any(_given(member, number, said, rows) for number in known.columns):
                _look(gathering, [known.into])
    if base.kind == "p":
        gathering.unknown(f"which partitions of {base.sql} get rows: those that get none are not locked")


def _given(relation: Relation, number: int, names: Sequence[str], rows: list[list[Node]]) -> bool:
    """Whether a column of new rows may be something else than NULL."""
    column = next(column for column in relation.columns if column.number == number)
    if column.name not in names:
        return column.default
    place = names.index(column.name)
    values = [unwrap(row[place]) for row in rows if place < len(row)]
    return not values or not all(kind(value) == "A_Const" and value.isnull for value in values)


def _update(gathering: Gathering, relation: Relation, names: set[str]) -> None:
    """Changed columns: rows that they refer to, and rows that refer to them."""
    base = _base(gathering, relation)
    for member in gathering.family(base):
        gathering.lock(member, Mode.ROW_EXCLUSIVE)
        _change(gathering, member, {column.number for column in member.columns if column.name in names}, set())


def _change(gathering: Gathering, relation: Relation, numbers: set[int], seen: set[tuple[int, frozenset[int]]]) -> None:
    step = (relation.oid, frozenset(numbers))
    if step in seen:
        return
    seen.add(step)
    _look(gathering, [known.into for known in relation.foreign_keys if numbers & set(known.columns)])
    for known in relation.referrers:
        if numbers & set(known.into_columns):
            _follow(gathering, known, known.on_update, seen)


def _delete(gathering: Gathering, relation: Relation) -> None:
    base = _base(gathering, relation)
    for member in gathering.family(base):
        _remove(gathering, member, set())


def _remove(gathering: Gathering, relation: Relation, seen: set[tuple[int, frozenset[int]]]) -> None:
    """Rows that go, and what becomes of those that refer to them."""
    step: tuple[int, frozenset[int]] = (relation.oid, frozenset())
    gathering.lock(relation, Mode.ROW_EXCLUSIVE)
    if step in seen:
        return
    seen.add(step)
    for known in relation.referrers:
        if known.on_delete == _CASCADE:
            for child in gathering.each([known.table]):
                for member in gathering.family(child):
                    _remove(gathering, member, seen)
        else:
            _follow(gathering, known, known.on_delete, seen)


def _follow(gathering: Gathering, known: Constraint, action: str, seen: set[tuple[int, frozenset[int]]]) -> None:
    """What happens to the rows of a foreign key whose other side changes."""
    if action not in {_CASCADE, _SET_NULL, _SET_DEFAULT}:
        _look(gathering, [known.table])
        return
    for child in gathering.each([known.table]):
        for member in gathering.family(child):
            gathering.lock(member, Mode.ROW_EXCLUSIVE)
            if action != _SET_NULL:
                _change(gathering, member, set(known.columns), seen)


def _look(gathering: Gathering, oids: Iterable[int]) -> None:
    """Rows of other tables are looked for and locked, so that they stay until the end."""
    for relation in gathering.each(oids):
        for member in gathering.family(relation):
            gathering.lock(member, Mode.ROW_SHARE)


def _whole(gathering: Gathering, relation: Relation, node: Node) -> None:
    """Without a condition every row is visited."""
    if not node.HasField("where_clause"):
        for member in gathering.family(_base(gathering, relation)):
            gathering.scan(member)


def _base(gathering: Gathering, relation: Relation) -> Relation:
    """The table that a write through a view reaches."""
    while relation.kind == "v":
        gathering.lock(relation, Mode.ROW_EXCLUSIVE)
        sources = gathering.each(relation.reads)
        if len(sources) != 1:
            gathering.unknown(f"what a write to the view {relation.sql} reaches")
            break
        relation = sources[0]
    return relation


def _assigned(targets: Iterable[Node]) -> set[str]:
    return {unwrap(target).name for target in targets}


def _values(node: Node) -> list[list[Node]]:
    if not node.HasField("select_stmt"):
        return []
    return [list(unwrap(row).items) for row in unwrap(node.select_stmt).values_lists]
