"""Which tables a statement locks so that others wait, as far as its text tells."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.known import Key, key, key_of
from lockgate.safety.subject import Statement
from lockgate.sql.ddl import enum, objects
from lockgate.sql.tree import Node

# These let others read and write, or wait for nobody who does.
_WEAK = frozenset(
    {
        "AT_ValidateConstraint",
        "AT_SetStatistics",
        "AT_SetOptions",
        "AT_ResetOptions",
        "AT_SetRelOptions",
        "AT_ResetRelOptions",
        "AT_ClusterOn",
        "AT_DropCluster",
        "AT_AttachPartition",
    }
)
_ONE = frozenset(
    {
        "IndexStmt",
        "ClusterStmt",
        "RefreshMatViewStmt",
        "CreateTrigStmt",
        "RuleStmt",
        "RenameStmt",
        "AlterObjectSchemaStmt",
    }
)


def strong(statement: Statement) -> Iterator[Key]:
    """The tables that it locks against writers, or against everybody."""
    node = statement.node
    match statement.kind:
        case "AlterTableStmt":
            if enum(node, "objtype") in {"OBJECT_TABLE", "OBJECT_MATVIEW"} and not _weak(node):
                yield key(node.relation)
        case "DropStmt" if not node.concurrent:
            kind = enum(node, "remove_type")
            if kind in {"OBJECT_TABLE", "OBJECT_MATVIEW"}:
                yield from (key_of(names) for names in objects(node))
            elif kind in {"OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE"}:
                yield from (key_of(names[:-1]) for names in objects(node))
        case "TruncateStmt":
            yield from (key(item.range_var) for item in node.relations)
        case "CreatePolicyStmt" | "AlterPolicyStmt":
            yield key(node.table)
        case "CreateStmt" if node.HasField("partbound"):
            yield key(node.inh_relations[0].range_var)
        case kind if kind in _ONE and node.HasField("relation") and not _lenient(statement):
            yield key(node.relation)


def _weak(node: Node) -> bool:
    for item in node.cmds:
        command = item.alter_table_cmd
        word = enum(command, "subtype")
        if word == "AT_DetachPartition" and getattr(command, "def").partition_cmd.concurrent:
            continue
        if word not in _WEAK:
            return False
    return True


def _lenient(statement: Statement) -> bool:
    if statement.kind in {"IndexStmt", "RefreshMatViewStmt"}:
        return bool(statement.node.concurrent)
    if statement.kind == "RenameStmt":
        return enum(statement.node, "rename_type") not in {"OBJECT_TABLE", "OBJECT_COLUMN", "OBJECT_TABCONSTRAINT"}
    return False
