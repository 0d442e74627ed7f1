"""Constraints that are made, validated and dropped."""

from __future__ import annotations

from lockgate.effects.gathering import Gathering
from lockgate.effects.known import Constraint, Relation
from lockgate.effects.model import Mode
from lockgate.effects.retyping import requires_not_null
from lockgate.sql.tree import Node, enum, strings

INDEXED = {"CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_EXCLUSION"}


def add(gathering: Gathering, targets: list[Relation], constraint: Node) -> None:
    """ADD CONSTRAINT on a table and what inherits from it, which are locked already."""
    said = enum(constraint, "contype")
    checked = constraint.is_enforced and not constraint.skip_validation
    if said == "CONSTR_CHECK" and checked:
        _scan(gathering, targets)
    elif said == "CONSTR_FOREIGN":
        refer(gathering, targets, constraint, checked=checked)
    elif said == "CONSTR_NOTNULL" and not constraint.skip_validation:
        for target in targets:
            fill(gathering, target, strings(constraint.keys)[0])
    elif said in INDEXED and constraint.indexname:
        _adopt(gathering, targets[0], constraint, primary=said == "CONSTR_PRIMARY")
    elif said in INDEXED:
        _scan(gathering, targets)


def refer(gathering: Gathering, targets: list[Relation], constraint: Node, *, checked: bool) -> None:
    """A foreign key, in ALTER TABLE or CREATE TABLE.

    :param checked: whether the rows that are there are looked at.
    """
    referenced = gathering.family(gathering.named(constraint.pktable))
    for relation in referenced:
        gathering.lock(relation, Mode.SHARE_ROW_EXCLUSIVE)
    if checked:
        _scan(gathering, [*targets, *referenced])


def fill(gathering: Gathering, relation: Relation, name: str) -> None:
    """SET NOT NULL: the rows are looked at, unless something valid says already that there is no NULL."""
    column = relation.column(name)
    if column and (column.not_null or _implied(relation, name)):
        return
    gathering.scan(relation)


def validate(gathering: Gathering, targets: list[Relation], name: str) -> None:
    """VALIDATE CONSTRAINT."""
    found = [(target, known) for target in targets for known in target.constraints if known.name == name]
    for target, known in found:
        referenced = [member for parent in gathering.each([known.into]) for member in gathering.family(parent)]
        if known.validated:
            continue
        gathering.scan(target)
        for relation in referenced:
            gathering.lock(relation, Mode.ROW_SHARE)
            gathering.scan(relation)
    if not found:
        _scan(gathering, targets)
        gathering.unknown(f"whether it is a foreign key: then the table that it refers to gets {Mode.ROW_SHARE.value}")


def drop(gathering: Gathering, targets: list[Relation], name: str) -> None:
    """DROP CONSTRAINT: with a foreign key goes a trigger of the other table, with an index what rests on it."""
    if not gathering.catalog or not targets[0].oid:
        gathering.unknown(f"whether it is a foreign key: then the table that it refers to gets {_EXCLUSIVE}, too")
        return
    dropped = gathering.catalog.dropped([("constraint", (target.oid, name)) for target in targets])
    for relation, mode in dropped.items():
        gathering.lock(relation, mode)


def retype(gathering: Gathering, relation: Relation, number: int, *, rewritten: bool) -> None:
    """Constraints on a column that gets another type are made anew, and looked at again if values may have changed."""
    for known in relation.constraints:
        if known.kind == "c" and known.validated and number in known.columns:
            gathering.scan(relation)
    for known in [*relation.constraints, *relation.referrers]:
        if known.kind == "f" and number in (known.columns if known.table == relation.oid else known.into_columns):
            _renew(gathering, known, rewritten=rewritten)


def _renew(gathering: Gathering, known: Constraint, *, rewritten: bool) -> None:
    for relation in gathering.each([known.table, known.into]):
        gathering.lock(relation, Mode.ACCESS_EXCLUSIVE)
        if rewritten and known.validated:
            gathering.scan(relation)


def _adopt(gathering: Gathering, relation: Relation, constraint: Node, *, primary: bool) -> None:
    """A constraint from an index that is there: which gets its name, and the columns of a key NOT NULL."""
    index = relation.index_named(constraint.indexname)
    if not index:
        gathering.unknown("whether a column of the index may be NULL: then the table is scanned")
        return
    if constraint.conname not in {"", index.name}:
        gathering.lock(index.sql, Mode.SHARE_UPDATE_EXCLUSIVE)
    if primary:
        for column in relation.columns:
            if column.number in index.columns:
                fill(gathering, relation, column.name)


def _implied(relation: Relation, column: str) -> bool:
    checks = [known for known in relation.constraints if known.kind == "c" and known.validated]
    return any(requires_not_null(known.expression, column) for known in checks)


def _scan(gathering: Gathering, relations: list[Relation]) -> None:
    for relation in relations:
        gathering.scan(relation)


_EXCLUSIVE = Mode.ACCESS_EXCLUSIVE.value
