"""DROP and TRUNCATE: what goes, and what goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lockgate.effects.gathering import Gathering
from lockgate.effects.known import Relation
from lockgate.effects.model import Mode
from lockgate.effects.retyping import type_text
from lockgate.sql.tree import Node, enum, quote, strings, unwrap

_RELATIONS = {
    "OBJECT_TABLE",
    "OBJECT_VIEW",
    "OBJECT_MATVIEW",
    "OBJECT_INDEX",
    "OBJECT_SEQUENCE",
    "OBJECT_FOREIGN_TABLE",
}
_ROUTINES = {"OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE", "OBJECT_AGGREGATE"}
_PARTS = {"OBJECT_TRIGGER": "trigger", "OBJECT_POLICY": "policy", "OBJECT_RULE": "rule"}


def drop(gathering: Gathering, node: Node) -> None:
    """``DropStmt``."""
    what = enum(node, "remove_type")
    objects = [found for item in node.objects for found in _object(gathering, node, what, unwrap(item))]
    if node.concurrent:
        return
    if gathering.catalog:
        for relation, mode in gathering.catalog.dropped(objects).items():
            gathering.lock(relation, mode)
    elif what not in _RELATIONS | _PARTS.keys():
        gathering.unknown("which relations depend on what is dropped")


def truncate(gathering: Gathering, node: Node) -> None:
    """``TruncateStmt``."""
    named = [member for name in node.relations for member in _members(gathering, unwrap(name))]
    gone = {relation.oid or relation.sql: relation for relation in named}
    waiting = list(gone.values()) if enum(node, "behavior") == "DROP_CASCADE" else []
    while waiting:
        referrers = gathering.each(known.table for known in waiting.pop().referrers)
        new = [member for table in referrers for member in gathering.family(table) if member.oid not in gone]
        gone.update({relation.oid: relation for relation in new})
        waiting += new
    for relation in gone.values():
        gathering.lock(relation, Mode.ACCESS_EXCLUSIVE)
        gathering.empty(relation)
        for sequence in relation.sequences if node.restart_seqs else ():
            gathering.lock(sequence.sql, Mode.ACCESS_EXCLUSIVE)


def _members(gathering: Gathering, name: Node) -> list[Relation]:
    relation = gathering.named(name)
    return gathering.family(relation) if name.inh else [relation]


def _object(gathering: Gathering, node: Node, what: str, item: Node) -> list[tuple[str, Any]]:
    """An object as the catalog takes it; what names a relation locks it in any case."""
    if what in _RELATIONS:
        return _relation(gathering, node, strings(item.items))
    if what in _PARTS:
        *table, name = strings(item.items)
        relation = _find(gathering, table)
        gathering.lock(relation, Mode.ACCESS_EXCLUSIVE)
        return [(_PARTS[what], (relation.oid, name))]
    if what in _ROUTINES:
        arguments = ", ".join(type_text(unwrap(argument)) for argument in item.objargs)
        return [("function", f"{'.'.join(quote(name) for name in strings(item.objname))}({arguments})")]
    match what:
        case "OBJECT_TYPE" | "OBJECT_DOMAIN":
            found: tuple[str, Any] = "type", type_text(item)
        case "OBJECT_SCHEMA" | "OBJECT_EXTENSION":
            found = what.removeprefix("OBJECT_").lower(), item.sval
        case "OBJECT_STATISTIC_EXT":
            *schema, name = strings(item.items)
            found = "statistics", ("".join(schema), name)
        case _:
            gathering.unknown("which relations depend on what is dropped")
            return []
    return [found]


def _relation(gathering: Gathering, node: Node, names: Sequence[str]) -> list[tuple[str, Any]]:
    relation = _find(gathering, names)
    if node.concurrent:
        _concurrently(gathering, relation)
        return []
    gathering.lock(relation, Mode.ACCESS_EXCLUSIVE)
    if not relation.oid and enum(node, "remove_type") == "OBJECT_INDEX":
        gathering.unknown(f"which table {relation.sql} is of: it gets {Mode.ACCESS_EXCLUSIVE.value}, too")
    return [("relation", relation.oid)] if relation.oid else []


def _concurrently(gathering: Gathering, index: Relation) -> None:
    """DROP INDEX CONCURRENTLY waits until nobody uses the table that used it, but holds nobody up."""
    gathering.lock(index, Mode.SHARE_UPDATE_EXCLUSIVE)
    for table in gathering.each([index.table]):
        gathering.lock(table, Mode.SHARE_UPDATE_EXCLUSIVE)


def _find(gathering: Gathering, names: Sequence[str]) -> Relation:
    *schema, name = names
    return gathering.find("".join(schema[-1:]), name)
