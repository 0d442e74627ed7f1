"""Where in the text something stands that only the server could judge."""

from __future__ import annotations

from collections.abc import Collection

from lockgate.sql.tree import Node, kind, unwrap, walk


def of_call(select: Node, names: Collection[str]) -> int:
    """The offset, in bytes, of the first call of a function of these names; -1 if there is none."""
    return min(
        (node.location for node in walk(select) if kind(node) == "FuncCall" and _last(node.funcname) in names),
        default=-1,
    )


def of_operator(select: Node, names: Collection[str]) -> int:
    """The offset of the operator of these names, if it is there once; else -1."""
    return _only([node.location for node in walk(select) if kind(node) == "A_Expr" and _last(node.name) in names])


def of_cast(select: Node) -> int:
    """The offset of the cast, if there is only one; else -1."""
    return _only([node.location for node in walk(select) if kind(node) == "TypeCast"])


def _last(names: Node) -> str:
    return str(unwrap(names[-1]).sval) if names else ""


def _only(places: list[int]) -> int:
    return places[0] if len(places) == 1 else -1
