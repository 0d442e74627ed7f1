"""Which columns and relations a statement renames."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.sql import tree

_COLUMN = 7  # ObjectType


@dataclass(frozen=True, slots=True)
class Rename:
    """A renamed column; ``schema`` is empty where the statement leaves it to the search_path."""

    schema: str
    relation: str
    column: str


def renamed_columns(text: str) -> list[Rename]:
    """List the columns that the statements of a text rename.

    :raises SqlSyntaxError: if it is not SQL.
    """
    found = []
    for statement in tree.parse(text):
        node = tree.unwrap(statement.stmt)
        if tree.kind(node) == "RenameStmt" and node.rename_type == _COLUMN:
            found.append(Rename(node.relation.schemaname, node.relation.relname, node.subname))
    return found
