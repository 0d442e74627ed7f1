"""Partitions that are made, attached and detached."""

from __future__ import annotations

from lockgate.effects.gathering import Gathering
from lockgate.effects.known import Index, Relation
from lockgate.effects.model import Mode
from lockgate.sql.tree import Node, enum, expression, kind, strip_locations, unwrap


def create(gathering: Gathering, parent: Relation, bound: Node) -> None:
    """CREATE TABLE ... PARTITION OF."""
    gathering.lock(parent, Mode.ACCESS_EXCLUSIVE)
    _join(gathering, parent, bound)


def attach(gathering: Gathering, parent: Relation, command: Node) -> None:
    """ATTACH PARTITION: its rows are looked at, and those of the DEFAULT partition, unless a check rules them out."""
    child = gathering.named(command.name)
    gathering.lock(parent, Mode.SHARE_UPDATE_EXCLUSIVE)
    _join(gathering, parent, command.bound)
    for member in gathering.family(child):
        gathering.lock(member, Mode.ACCESS_EXCLUSIVE)
        unlike = any(not _has(parent, index, member) for index in parent.indexes)
        checked = any(not known.inherited for known in parent.foreign_keys)
        if unlike or checked or not _inside(parent, child, command.bound):
            gathering.scan(member)


def detach(gathering: Gathering, parent: Relation, command: Node) -> None:
    """DETACH PARTITION: the parts of its indexes and foreign keys become its own."""
    child = gathering.named(command.name)
    gathering.lock(parent, Mode.SHARE_UPDATE_EXCLUSIVE if command.concurrent else Mode.ACCESS_EXCLUSIVE)
    for member in gathering.family(child):
        gathering.lock(member, Mode.ACCESS_EXCLUSIVE)
    for index in child.indexes:
        if any(_alike(parent, known, child, index) for known in parent.indexes):
            gathering.lock(index.sql, Mode.ACCESS_EXCLUSIVE)
    for default in gathering.each([parent.default]):
        gathering.lock(default, Mode.ACCESS_EXCLUSIVE)
    _reach(gathering, parent)
    for referrer in gathering.each(known.table for known in parent.referrers):
        gathering.lock(referrer, Mode.ACCESS_EXCLUSIVE)
        gathering.scan(referrer)  # whether its rows refer to what goes
        gathering.scan(child)


def _join(gathering: Gathering, parent: Relation, bound: Node) -> None:
    """What a new partition means for the others, and for who refers to the table and is referred to."""
    for index in parent.indexes:
        gathering.lock(index.sql, Mode.SHARE_UPDATE_EXCLUSIVE)
    for default in gathering.each([parent.default]):
        gathering.lock(default, Mode.ACCESS_EXCLUSIVE)
        if not _outside(parent, default, bound):
            gathering.scan(default)
    _reach(gathering, parent)


def _reach(gathering: Gathering, parent: Relation) -> None:
    others = [known.into for known in parent.foreign_keys] + [known.table for known in parent.referrers]
    for relation in gathering.each(others):
        gathering.lock(relation, Mode.SHARE_ROW_EXCLUSIVE)


def _has(parent: Relation, index: Index, child: Relation) -> bool:
    return any(_alike(parent, index, child, own) for own in child.indexes)


def _alike(one: Relation, index: Index, other: Relation, own: Index) -> bool:
    """Whether an index may become a part of the parent's, as far as columns tell."""
    same = (index.unique, index.method, index.opclasses) == (own.unique, own.method, own.opclasses)
    return same and _names(one, index.columns) == _names(other, own.columns)


def _names(relation: Relation, numbers: tuple[int, ...]) -> list[str]:
    by_number = {column.number: column.name for column in relation.columns}
    return [by_number.get(number, "") for number in numbers]


def _inside(parent: Relation, child: Relation, bound: Node) -> bool:
    """Whether a check of a table says word for word that its rows belong between the bounds."""
    wanted = _range(parent, bound)
    if not wanted:
        return False
    name, low, high = wanted
    column = child.column(name)
    said = [piece for check in _checks(child) for piece in _pieces(check, "AND_EXPR")]
    needed = [piece for piece in ((name, ">=", low), (name, "<", high)) if piece[2] is not None]
    return bool(column and column.not_null and all(_says(said, *piece) for piece in needed))


def _outside(parent: Relation, default: Relation, bound: Node) -> bool:
    """Whether a check of the DEFAULT partition says word for word that no row of it is between the bounds."""
    wanted = _range(parent, bound)
    if not wanted:
        return False
    name, low, high = wanted
    column = default.column(name)
    allowed = [piece for piece in ((name, "<", low), (name, ">=", high)) if piece[2] is not None]
    for check in _checks(default):
        for condition in _pieces(check, "AND_EXPR"):
            pieces = _pieces(condition, "OR_EXPR")
            if column and column.not_null and all(any(_says([piece], *a) for a in allowed) for piece in pieces):
                return True
    return False


def _range(parent: Relation, bound: Node) -> tuple[str, Node | None, Node | None] | None:
    """Column, lower and upper bound, where the partitions are ranges of one column. None for an open bound."""
    names = _names(parent, parent.key)
    if parent.strategy != "r" or len(names) != 1 or not names[0] or bound.is_default:
        return None
    return names[0], _bound(bound.lowerdatums[0]), _bound(bound.upperdatums[0])


def _bound(datum: Node) -> Node | None:
    return None if kind(datum) == "ColumnRef" else _constant(datum)


def _constant(node: Node) -> Node | None:
    """A constant without its cast, as the server writes one behind it."""
    inner = unwrap(node)
    while kind(inner) == "TypeCast":
        inner = unwrap(inner.arg)
    return strip_locations(inner) if kind(inner) == "A_Const" else None


def _checks(relation: Relation) -> list[Node]:
    return [expression(known.expression) for known in relation.constraints if known.kind == "c" and known.validated]


def _pieces(node: Node, operator: str) -> list[Node]:
    inner = unwrap(node)
    if kind(inner) != "BoolExpr" or enum(inner, "boolop") != operator:
        return [inner]
    return [piece for part in inner.args for piece in _pieces(part, operator)]


def _says(pieces: list[Node], name: str, operator: str, constant: Node) -> bool:
    """Whether one of the conditions compares the column so with that constant."""
    for piece in pieces:
        if kind(piece) != "A_Expr" or unwrap(piece.name[-1]).sval != operator or kind(piece.lexpr) != "ColumnRef":
            continue
        if unwrap(unwrap(piece.lexpr).fields[-1]).sval == name and _constant(piece.rexpr) == constant:
            return True
    return False
