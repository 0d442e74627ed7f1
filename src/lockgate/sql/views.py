"""The definition of a view as every server writes it."""

from __future__ import annotations

from lockgate.sql.tree import Node, SqlSyntaxError, kind, parse_one, quote, unwrap, walk

_FROM_ONE = frozenset({"RangeVar", "RangeSubselect", "RangeFunction", "RangeTableFunc"})


def plain(definition: str) -> str:
    """What ``pg_get_viewdef`` says, without the name of the one relation that a simple view reads.

    Servers before PostgreSQL 16 put it before each column (``SELECT t.id FROM t``), newer ones do not. The parser may
    not know what a newer server can write: then the text stays as it is.
    """
    try:
        select = parse_one(definition).stmt.select_stmt
    except SqlSyntaxError:
        return definition
    alias = _alias(select)
    if not alias:
        return definition
    data = definition.encode()
    written = [f"{name}.".encode() for name in (alias, quote(alias))]
    for place in sorted({_place(node, alias) for node in walk(select)} - {-1}, reverse=True):
        before = next((name for name in written if data.startswith(name, place)), b"")
        data = data[:place] + data[place + len(before) :]
    return data.decode()


def _alias(select: Node) -> str:
    """What the columns of the only relation are called by; empty if there are several."""
    if len(select.from_clause) != 1 or kind(select.from_clause[0]) not in _FROM_ONE:
        return ""
    relation = unwrap(select.from_clause[0])
    return str(relation.alias.aliasname or getattr(relation, "relname", ""))


def _place(node: Node, alias: str) -> int:
    """Where a column of the relation stands, in bytes; -1 for anything else, such as the whole row."""
    if node.DESCRIPTOR.name != "ColumnRef" or len(node.fields) != 2:
        return -1
    relation, column = (unwrap(part) for part in node.fields)
    both = {relation.DESCRIPTOR.name, column.DESCRIPTOR.name} == {"String"}
    return int(node.location) if both and relation.sval == alias else -1
