"""Write the WITH queries of a SELECT into its FROM, so that every relation stands where it is read."""

from __future__ import annotations

from lockgate.sql.shape import ShapeRefused
from lockgate.sql.tree import Node, kind, unwrap, walk


def inline_ctes(statement: Node) -> Node:
    """Return a copy of a SELECT (``RawStmt``) without its outermost WITH clause.

    :raises ShapeRefused: if a WITH query is recursive or writes.
    """
    copy = type(statement)()
    copy.CopyFrom(statement)
    select = copy.stmt.select_stmt
    if not select.HasField("with_clause"):
        return copy
    if select.with_clause.recursive:
        raise ShapeRefused("WITH RECURSIVE cannot be kept in step", select.with_clause.location, "write joins")
    queries: dict[str, Node] = {}
    for item in select.with_clause.ctes:
        cte = unwrap(item)
        if kind(cte.ctequery) != "SelectStmt":
            raise ShapeRefused("a WITH query that writes cannot be in a mapping", cte.location, "write a SELECT")
        query = type(cte.ctequery)()
        query.CopyFrom(cte.ctequery)
        _inline_into(query, queries)
        queries[cte.ctename] = (query, [unwrap(name).sval for name in cte.aliascolnames])
    select.ClearField("with_clause")
    _inline_into(copy.stmt, queries)
    return copy


def _inline_into(node: Node, queries: dict[str, Node]) -> None:
    for inner in list(walk(node)):
        for field, value in inner.ListFields():
            if field.message_type is None or field.message_type.name != "Node":
                continue
            for child in value if field.is_repeated else [value]:
                if kind(child) != "RangeVar":
                    continue
                var = unwrap(child)
                if not var.schemaname and var.relname in queries:
                    _put(child, *queries[var.relname])


def _put(holder: Node, query: Node, columns: list[str]) -> None:
    var = unwrap(holder)
    alias = type(var.alias)()
    alias.CopyFrom(var.alias)
    alias.aliasname = alias.aliasname or var.relname
    if columns and not alias.colnames:
        for name in columns:
            alias.colnames.add().string.sval = name
    holder.Clear()
    holder.range_subselect.subquery.CopyFrom(query)
    holder.range_subselect.alias.CopyFrom(alias)
