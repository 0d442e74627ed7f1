"""PostgreSQL's own parser, as the package postgast gives it."""

from __future__ import annotations

from functools import cache
from typing import Any

import postgast
from postgast import PgQueryError as ParserError
from postgast import pg_query_pb2

__all__ = ["Node", "ParserError", "deparse", "parse", "scan", "single", "split", "words"]

Tree = Any  # a protobuf message; its class is made at run time
Node: type[Any] = pg_query_pb2.Node
"""The class of the wrappers: each holds a node of any kind."""


def parse(text: str) -> Tree:
    """The ``ParseResult`` of a text.

    :raises ParserError: if it is not SQL. Unlike the places of nodes, and whatever its documentation says, its
        ``cursorpos`` counts characters.
    """
    return postgast.parse(text)


def single(node: bytes) -> Tree:
    """The ``ParseResult`` of one statement, whose ``Node`` is given as it is serialized."""
    tree = pg_query_pb2.ParseResult()
    tree.stmts.add().stmt.ParseFromString(node)
    return tree


def deparse(tree: Tree) -> str:
    """A ``ParseResult`` as SQL.

    :raises ParserError: if it cannot be written.
    """
    text: str = postgast.deparse(tree)
    return text


def scan(text: str) -> list[tuple[int, int]]:
    """Where each token of a text begins and ends, in bytes; comments too.

    :raises ParserError: if it ends within a text or a comment.
    """
    return [(token.start, token.end) for token in postgast.scan(text).tokens]


def split(text: str) -> list[str]:
    """The statements of a text that need not be SQL, cut at its semicolons.

    :raises ParserError: if it ends within a text or a comment.
    """
    found: list[str] = postgast.split(text, method="scanner")
    return found


@cache
def words() -> frozenset[str]:
    """The names of the tokens: words of SQL in capitals, some with ``_P`` behind them, and some that are no words."""
    return frozenset(pg_query_pb2.Token.keys())
