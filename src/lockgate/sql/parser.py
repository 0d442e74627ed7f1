"""PostgreSQL's own parser: text to tree and back."""

from __future__ import annotations

from functools import cache
from typing import Any

from lockgate.sql import native
from lockgate.sql.native import ParserError

__all__ = ["Node", "ParserError", "deparse", "parse", "scan", "single", "split", "words"]

Tree = Any  # a protobuf message; its class is made at run time
_ParseResult = native.message("ParseResult")
Node: type[Any] = native.message("Node")
"""The class of the wrappers: each holds a node of any kind."""


def parse(text: str) -> Tree:
    """The ``ParseResult`` of a text.

    :raises ParserError: if it is not SQL.
    """
    return _ParseResult.FromString(native.parsed(text.encode()))


def single(node: bytes) -> Tree:
    """The ``ParseResult`` of one statement, whose ``Node`` is given as it is serialized."""
    tree = _ParseResult()
    tree.stmts.add().stmt.ParseFromString(node)
    return tree


def deparse(tree: Tree) -> str:
    """A ``ParseResult`` as SQL.

    :raises ParserError: if it cannot be written.
    """
    return native.deparsed(tree.SerializeToString()).decode()


def scan(text: str) -> list[tuple[int, int]]:
    """Where each token of a text begins and ends, in bytes; comments too.

    :raises ParserError: if it ends within a text or a comment.
    """
    tokens = native.message("ScanResult").FromString(native.scanned(text.encode())).tokens
    return [(token.start, token.end) for token in tokens]


def split(text: str) -> list[str]:
    """The statements of a text that need not be SQL, cut at its semicolons.

    :raises ParserError: if it ends within a text or a comment.
    """
    data = text.encode()
    return [data[start : start + length].decode() for start, length in native.split(data)]


@cache
def words() -> frozenset[str]:
    """The names of the tokens: words of SQL in capitals, some with ``_P`` behind them, and some that are no words."""
    return frozenset(native.names("Token"))
