"""Split SQL text into its statements, by the real grammar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lockgate.sql.tree import Node, kind, parse, unwrap


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a text.

    :param text: the statement without its semicolon.
    :param line: its first line in the text, from 1.
    :param kind: the parser's name of it, such as ``CreateStmt``.
    :param in_transaction: whether PostgreSQL lets it run in a transaction block.
    """

    text: str
    line: int
    kind: str
    in_transaction: bool


_MANY_TABLES = {3, 4, 5}  # REINDEX of a schema, of the system catalogs, of a database


def _detaches_concurrently(command: Node) -> bool:
    definition = unwrap(getattr(command, "def"))
    return kind(definition) == "PartitionCmd" and bool(definition.concurrent) if definition else False


def _option(options: Node, name: str) -> bool:
    return any(option.def_elem.defname == name for option in options)


_ALONE: dict[str, Callable[[Node], bool]] = {
    "IndexStmt": lambda node: bool(node.concurrent),
    "DropStmt": lambda node: bool(node.concurrent),
    "ReindexStmt": lambda node: _option(node.params, "concurrently") or node.kind in _MANY_TABLES,
    "VacuumStmt": lambda node: bool(node.is_vacuumcmd),
    "CreatedbStmt": lambda node: True,
    "DropdbStmt": lambda node: True,
    "CreateTableSpaceStmt": lambda node: True,
    "DropTableSpaceStmt": lambda node: True,
    "AlterSystemStmt": lambda node: True,
    "CreateSubscriptionStmt": lambda node: True,
    "DropSubscriptionStmt": lambda node: True,
    "ClusterStmt": lambda node: not node.HasField("relation"),
    "AlterTableStmt": lambda node: any(_detaches_concurrently(unwrap(command)) for command in node.cmds),
}


def split(text: str) -> list[Statement]:
    """Split ``text`` into statements.

    :raises SqlSyntaxError: if it is not SQL.
    """
    data = text.encode()
    statements = []
    for raw in parse(text):
        end = raw.stmt_location + raw.stmt_len if raw.stmt_len else len(data)
        piece = data[raw.stmt_location : end].decode()
        lead = len(piece) - len(piece.lstrip())
        line = data[: raw.stmt_location].decode().count("\n") + piece[:lead].count("\n") + 1
        node = unwrap(raw.stmt)
        alone = _ALONE.get(kind(node))
        statements.append(Statement(piece.strip(), line, kind(node), not (alone and alone(node))))
    return statements
