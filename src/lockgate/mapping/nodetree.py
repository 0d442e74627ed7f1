"""Read the server's own analysed tree (``pg_node_tree``) of a query, to know what it really calls.

The text is a nest of ``{NODE :field value ...}``, lists in parentheses, and plain words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

_TOKEN = re.compile(r'[{}()]|"(?:\\.|[^"\\])*"|(?:\\.|[^\s{}()\\])+')


@dataclass(slots=True)
class TreeNode:
    """A node of the tree: its name and the values of its fields (words, nodes and lists)."""

    name: str
    fields: dict[str, list[Any]] = field(default_factory=dict)

    def word(self, name: str) -> str:
        """The single word of a field, empty if there is none."""
        value = self.fields.get(name) or [""]
        return str(value[0])


@lru_cache(maxsize=128)
def parse(text: str) -> Sequence[TreeNode]:
    """Parse the text of a ``pg_node_tree``; return every node at any depth."""
    return tuple(_nodes(_values(iter(_TOKEN.findall(text)), None)))


def _values(tokens: Iterator[str], end: str | None) -> list[Any]:
    values: list[Any] = []
    for token in tokens:
        if token == end:
            break
        values.append(_value(token, tokens))
    return values


def _value(token: str, tokens: Iterator[str]) -> Any:
    if token == "(":
        return _values(tokens, ")")
    if token == "{":
        return _node(tokens)
    return token


def _node(tokens: Iterator[str]) -> TreeNode:
    node = TreeNode(next(tokens))
    current: list[Any] = []
    for token in tokens:
        if token == "}":
            break
        if token.startswith(":"):
            current = node.fields.setdefault(token[1:], [])
        else:
            current.append(_value(token, tokens))
    return node


def _nodes(values: list[Any]) -> Iterator[TreeNode]:
    waiting = [value for value in values if not isinstance(value, str)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, TreeNode):
            yield value
            for inner in value.fields.values():
                waiting += [item for item in inner if not isinstance(item, str)]
        else:
            waiting += [item for item in value if not isinstance(item, str)]


_TYPE_FIELDS = (
    "vartype", "consttype", "paramtype", "funcresulttype", "opresulttype", "resulttype", "casetype",
    "coalescetype", "minmaxtype", "array_typeid", "refrestype", "row_typeid", "typeId",
)  # fmt: skip


def expression_type(node: TreeNode) -> int:
    """The oid of an expression's type; 0 where the node does not say it."""
    for name in _TYPE_FIELDS:
        if name in node.fields:
            return int(node.word(name))
    return 0


def called_functions(nodes: Iterable[TreeNode]) -> set[int]:
    """The oids of all functions that the tree calls by name or by operator."""
    called = set()
    for node in nodes:
        for name in ("funcid", "opfuncid"):
            if name in node.fields:
                called.add(int(node.word(name)))
    return called - {0}


def set_functions(nodes: Iterable[TreeNode]) -> set[int]:
    """The oids of functions that yield one value for many rows, or many for one."""
    fields = {"AGGREF": "aggfnoid", "WINDOWFUNC": "winfnoid"}
    found = set()
    for node in nodes:
        if node.name in fields:
            found.add(int(node.word(fields[node.name])))
        elif node.word("funcretset") == "true":
            found.add(int(node.word("funcid")))
    return found


def text_casts(nodes: Iterable[TreeNode]) -> set[tuple[int, int]]:
    """The (from, to) types of all casts that go through the types' text forms."""
    casts = set()
    for node in nodes:
        if node.name == "COERCEVIAIO":
            argument = node.fields.get("arg", [None])[0]
            source = expression_type(argument) if isinstance(argument, TreeNode) else 0
            casts.add((source, int(node.word("resulttype"))))
    return casts


def has_flag(nodes: Iterable[TreeNode], name: str) -> bool:
    """Whether any query of the tree carries a flag such as ``hasAggs``."""
    return any(node.word(name) == "true" for node in nodes if node.name == "QUERY")


def has_node(nodes: Iterable[TreeNode], name: str) -> bool:
    """Whether the tree has a node of this name."""
    return any(node.name == name for node in nodes)
