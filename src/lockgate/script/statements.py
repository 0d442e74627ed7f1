"""What the engine needs to know about a statement of the plan before it runs it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from lockgate.effects import Mode, predict
from lockgate.sql.split import Statement
from lockgate.sql.tree import enum, parse_one, quote, unwrap, walk


class Alone(Enum):
    """Statements that PostgreSQL forbids in a transaction block, by how a half-done one is told."""

    CREATE_INDEX = "create index"
    DROP_INDEX = "drop index"
    REINDEX = "reindex"
    DETACH = "detach partition"
    VACUUM = "vacuum"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Shape:
    """One statement, as the engine sees it.

    :param locks: quoted relation -> the strongest lock that is taken on it, as far as the text tells.
    :param alone: None for a statement that may run in a transaction.
    :param relation: quoted name of the table or index that an ``alone`` statement works on.
    :param names: quoted names: of the index made, the indexes dropped, or the partition detached.
    :param lenient: whether it says IF NOT EXISTS.
    :param refusal: why the engine cannot run it; None if it can.
    """

    kind: str
    locks: dict[str, str]
    alone: Alone | None = None
    relation: str | None = None
    names: tuple[str, ...] = ()
    lenient: bool = False
    refusal: str | None = None

    @property
    def patient(self) -> bool:
        """Whether nobody queues behind its waiting, so that it may wait as long as it takes."""
        return self.alone in {Alone.CREATE_INDEX, Alone.DROP_INDEX, Alone.REINDEX}


_READING = {Mode.ACCESS_SHARE, Mode.ROW_SHARE}
_REWRITES = {"AT_DropColumn", "AT_AlterColumnType"}
_BLAND = {"CommentStmt", "CreateEnumStmt", "CreateSeqStmt", "GrantStmt"}
_MAKES = {*_BLAND, "CreateSchemaStmt", "CreateStmt", "IndexStmt", "InsertStmt"}
_HARMLESS = {"btrim", "char_length", "clock_timestamp", "gen_random_uuid", "generate_series", "length", "lower"}
_HARMLESS |= {"nextval", "now", "upper"}
_CONTROLS: dict[str, Literal["begin", "commit", "rollback"]] = {
    "TRANS_STMT_BEGIN": "begin",
    "TRANS_STMT_START": "begin",
    "TRANS_STMT_COMMIT": "commit",
    "TRANS_STMT_ROLLBACK": "rollback",
}
_LASTING = {"CallStmt", "DeallocateStmt", "DeclareCursorStmt", "DiscardStmt", "DoStmt", "ExecuteStmt", "ListenStmt"}
_LASTING |= {"LoadStmt", "PrepareStmt", "SelectStmt", "VariableSetStmt"}
_WITHIN = {"TRANS_STMT_SAVEPOINT", "TRANS_STMT_RELEASE", "TRANS_STMT_ROLLBACK_TO"}


def shape(statement: Statement) -> Shape:
    """What is known of a statement from its text."""
    node = unwrap(parse_one(statement.text).stmt)
    found = Shape(statement.kind, _locks(node), refusal=_refusal(statement, node))
    if statement.in_transaction:
        return found
    alone, relation, names = _alone(statement, node)
    refusal = found.refusal
    if alone is Alone.CREATE_INDEX and not names:
        refusal = "the index has no name, so that after a kill nobody could tell whether it was built; name it"
    lenient = alone is Alone.CREATE_INDEX and bool(node.if_not_exists)
    return Shape(statement.kind, found.locks, alone, relation, names, lenient, refusal)


def control(statement: Statement) -> Literal["begin", "commit", "rollback"] | None:
    """What a statement does to the transaction around it; None for all others, savepoints too."""
    if statement.kind != "TransactionStmt":
        return None
    said = enum(unwrap(parse_one(statement.text).stmt), "kind")
    return _CONTROLS.get(said)


def changes_session(statement: Statement) -> bool:
    """Whether a statement may leave settings behind for the statements of others on its connection."""
    return statement.kind in _LASTING or "TEMP" in statement.text.upper()


def strong(locks: dict[str, str]) -> list[str]:
    """The relations whose lock stops writers or readers."""
    return [name for name, lock in locks.items() if Mode(lock).strong]


def dropped_tables(statement: Statement) -> list[str]:
    """Quoted names of the tables whose rows a statement removes as a whole."""
    node = unwrap(parse_one(statement.text).stmt)
    if statement.kind == "TruncateStmt":
        return [_name(relation.range_var) for relation in node.relations]
    if statement.kind == "DropStmt" and enum(node, "remove_type") == "OBJECT_TABLE":
        return list(_listed(node.objects))
    return []


def empties_others(statement: Statement) -> bool:
    """Whether a statement also empties the tables that refer to those which it names."""
    if statement.kind != "TruncateStmt":
        return False
    return enum(unwrap(parse_one(statement.text).stmt), "behavior") == "DROP_CASCADE"


def dropped_schemas(statement: Statement) -> list[str]:
    """Names of the schemas that a statement drops with all that is in them, as the catalog holds them."""
    node = unwrap(parse_one(statement.text).stmt)
    if statement.kind != "DropStmt" or enum(node, "remove_type") != "OBJECT_SCHEMA":
        return []
    return [item.string.sval for item in node.objects] if enum(node, "behavior") == "DROP_CASCADE" else []


def changes_rows(statement: Statement) -> bool:
    """Whether a statement may remove or change rows that its text does not tell."""
    if statement.kind == "AlterTableStmt":
        node = unwrap(parse_one(statement.text).stmt)
        return any(enum(unwrap(command), "subtype") in _REWRITES for command in node.cmds)
    return statement.kind in {
        "DeleteStmt",
        "UpdateStmt",
        "MergeStmt",
        "DoStmt",
        "CallStmt",
        "SelectStmt",
        "DropOwnedStmt",
    }


def writes_only_its_text(statement: Statement) -> bool:
    """Whether all rows that a statement makes are of values in its text, and it changes no others.

    That is: tables and what belongs to them are made, and values inserted; no relation is read, and no function is
    called that could.
    """
    if statement.kind not in _MAKES:
        return False
    node = unwrap(parse_one(statement.text).stmt)
    objects = [node.relation] if statement.kind in {"CreateStmt", "InsertStmt", "IndexStmt"} else []
    nodes = list(walk(node))
    objects += [inner.pktable for inner in nodes if inner.DESCRIPTOR.name == "Constraint" and inner.HasField("pktable")]
    read = sum(inner.DESCRIPTOR.name == "RangeVar" for inner in nodes) > len(objects)
    called = {_function(inner) for inner in nodes if inner.DESCRIPTOR.name == "FuncCall"}
    renewed = any(
        inner.DESCRIPTOR.name == "OnConflictClause" and enum(inner, "action") != "ONCONFLICT_NOTHING" for inner in nodes
    )
    return statement.kind in _BLAND or not (read or renewed or called - _HARMLESS)


def _function(call: Any) -> str:
    return ".".join(unwrap(part).sval for part in call.funcname).removeprefix("pg_catalog.")


def _refusal(statement: Statement, node: Any) -> str | None:
    if statement.kind == "TransactionStmt" and enum(node, "kind") not in _WITHIN:
        return (
            "the transaction is Lockgate's: a step's effect and its line in the ledger commit together; "
            "leave BEGIN, COMMIT and ROLLBACK out, or cut the file into steps"
        )
    if statement.kind == "CopyStmt" and not node.filename:
        return "COPY from or to the client has no data here; use INSERT, or COPY from a file of the server"
    return None


def _locks(node: Any) -> dict[str, str]:
    """The locks of relations that are more than read, where there are several of one the strongest."""
    order = list(Mode)
    locks = sorted(predict(node).locks, key=lambda lock: order.index(lock.mode))
    return {lock.relation: lock.mode.value for lock in locks if lock.mode not in _READING}


def _relations(node: Any) -> Iterator[str]:
    """The relations that the statement itself names as its objects, not those that it only reads."""
    if "relation" in node.DESCRIPTOR.fields_by_name and node.HasField("relation"):
        yield _name(node.relation)
    for field in ("relations", "rels"):
        if field in node.DESCRIPTOR.fields_by_name:
            for item in getattr(node, field):
                inner = unwrap(item)
                yield _name(inner.relation if inner.DESCRIPTOR.name == "VacuumRelation" else inner)


def _alone(statement: Statement, node: Any) -> tuple[Alone, str | None, tuple[str, ...]]:
    relation = next(_relations(node), None)
    match statement.kind:
        case "IndexStmt":
            schema = f"{quote(node.relation.schemaname)}." if node.relation.schemaname else ""
            return Alone.CREATE_INDEX, relation, (schema + quote(node.idxname),) if node.idxname else ()
        case "DropStmt":
            return Alone.DROP_INDEX, None, tuple(_listed(node.objects))
        case "ReindexStmt":
            return Alone.REINDEX, relation, (quote(node.name),) if node.name else ()
        case "AlterTableStmt":
            parts = [i for i in walk(node) if i.DESCRIPTOR.name == "PartitionCmd"]
            return Alone.DETACH, relation, tuple(_name(part.name) for part in parts)
        case "VacuumStmt":
            return Alone.VACUUM, relation, ()
    return Alone.OTHER, relation, ()


def _listed(objects: Any) -> Iterator[str]:
    for item in objects:
        yield ".".join(quote(part.string.sval) for part in item.list.items)


def _name(relation: Any) -> str:
    parts = (relation.catalogname, relation.schemaname, relation.relname)
    return ".".join(quote(part) for part in parts if part)
