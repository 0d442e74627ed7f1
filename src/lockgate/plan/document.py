"""A YAML file as a tree in which every key and value knows its place in the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from lockgate.plan.base import ScalarValue
from lockgate.plan.problems import InvalidPlanError
from lockgate.plan.scalars import resolve
from lockgate.plan.yaml_errors import explain, forbidden_character
from lockgate.suggest import did_you_mean
from lockgate.textfile import Problem, Source

_DEEPEST = 30
_MOST_VALUES = 100_000

PathKey = str | int
Path = tuple[PathKey, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A value. ``at`` is where it is used and ``start`` where it is written: they differ for an alias.

    ``broken`` values were already reported, so that nothing else needs to be said about them.
    """

    at: int
    start: int
    broken: bool = field(default=False, kw_only=True)
    size: int = field(default=1, kw_only=True)


@dataclass(frozen=True, slots=True)
class ScalarNode(Node):
    """``text`` as written, without quotes; ``value`` is what it means; ``style`` is one of ``|>'"`` or None."""

    text: str
    value: ScalarValue
    style: str | None
    anchored: bool


@dataclass(frozen=True, slots=True)
class ListNode(Node):
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapNode(Node):
    """``keys`` holds where each key is written."""

    values: dict[str, Node]
    keys: dict[str, int]


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file. ``problems`` are those of YAML itself (a duplicate key, a wrong alias, ...)."""

    source: Source
    root: Node
    problems: tuple[Problem, ...]

    def find(self, path: Path) -> Node | None:
        """The value at a path, or None. ``from_`` finds ``from`` too, as the models call it."""
        node: Node | None = self.root
        for key in path:
            node = child(node, key)
        return node

    def nearest(self, path: Path) -> Node:
        """The value at a path, or the innermost one around it that the file holds."""
        node = self.root
        for key in path:
            inner = child(node, key)
            if inner is None:
                break
            node = inner
        return node

    def broken(self, path: Path) -> bool:
        """Whether this value or one around it was already reported; of a mapping, the rest may still be wrong."""
        if (node := self.find(path)) is not None and node.broken:
            return True
        around = (self.find(path[:n]) for n in range(len(path)))
        return any(node is not None and node.broken and not isinstance(node, MapNode) for node in around)

    def key_index(self, path: Path) -> int:
        """Where the last key of a path is written; for an item of a list, where the item is."""
        around = self.find(path[:-1])
        if isinstance(around, MapNode) and path[-1] in around.keys:
            return around.keys[str(path[-1])]
        return self.nearest(path).at

    def data(self) -> Any:
        """The document as plain dicts, tuples and scalars."""
        return _plain(self.root)


def child(node: Node | None, key: PathKey) -> Node | None:
    if isinstance(node, ListNode) and isinstance(key, int):
        return node.items[key] if 0 <= key < len(node.items) else None
    if isinstance(node, MapNode) and isinstance(key, str):
        return node.values.get(key) or node.values.get(key.removesuffix("_"))
    return None


def parse_document(file: str, text: str) -> Document:
    """Read one YAML 1.2 document.

    :raises InvalidPlanError: if the text is no YAML, is empty, or holds several documents.
    """
    source = Source(file, text)
    forbidden = forbidden_character(source)
    if forbidden:
        raise InvalidPlanError([forbidden])
    builder = _Builder(source)
    try:
        root = builder.document(YAML(typ="safe", pure=True).parse(text))
    except InvalidPlanError:
        raise
    except Exception as error:  # whatever a parser of other people stumbles over is a fault of the document
        raise InvalidPlanError([*builder.problems, explain(source, error)]) from None
    return Document(source, root, tuple(builder.problems))


class _Builder:
    """Makes the tree from the parser's events, and keeps what it finds wrong on the way."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self._anchors: dict[str, Node | None] = {}

    def document(self, events: Iterator[Event]) -> Node:
        root: Node | None = None
        for event in events:
            if isinstance(event, DocumentStartEvent):
                index = event.start_mark.index
                if root is not None:
                    self._stop(index, "a second document starts here; a plan is one document")
                if event.version is not None and tuple(event.version) != (1, 2):
                    self._stop(0, "says that it is YAML of another version; a plan is YAML 1.2")
                root = self._node(next(events), events, 0)
        if root is None or (isinstance(root, ScalarNode) and root.value is None):
            self._stop(0, "is empty; a plan starts with `plan: NAME`")
        if root.size > _MOST_VALUES:
            self._stop(0, f"holds more than {_MOST_VALUES} values once its aliases are followed")
        return root

    def _node(self, event: Any, events: Iterator[Event], depth: int) -> Node:
        index = event.start_mark.index
        if depth > _DEEPEST:
            self._stop(index, f"is nested more than {_DEEPEST} levels deep")
        if isinstance(event, AliasEvent):
            return self._alias(event.anchor, index)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if isinstance(event, ScalarEvent):
            node: Node = self._scalar(event, index)
        elif isinstance(event, SequenceStartEvent):
            node = self._list(index, events, depth)
        else:
            node = self._mapping(index, events, depth)
        if event.ctag is not None:
            self._say(index, "tags (`!...`) are not read; write the value without")
            node = replace(node, broken=True)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, anchor: str, index: int) -> Node:
        if anchor not in self._anchors:
            self._say(index, f"there is no anchor `&{anchor}` above this alias" + did_you_mean(anchor, self._anchors))
            return ScalarNode(index, index, "", None, None, False, broken=True)
        node = self._anchors[anchor]
        if node is None:
            self._stop(index, f"the alias `*{anchor}` stands inside of what it stands for")
        return replace(node, at=index)

    def _scalar(self, event: ScalarEvent, index: int) -> ScalarNode:
        text: str = event.value
        value: ScalarValue = text
        broken = False
        if event.implicit[0] and event.style is None:
            try:
                value = resolve(text)
            except ValueError as error:
                self._say(index, str(error))
                broken = True
        if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text):
            self._say(index, "holds a character that PostgreSQL does not take: NUL, or half of a surrogate pair")
            # The models are not shown it: a message of theirs that quotes half of a pair cannot be written.
            value, broken = "", True
        return ScalarNode(index, index, text, value, event.style, event.anchor is not None, broken=broken)

    def _list(self, index: int, events: Iterator[Event], depth: int) -> ListNode:
        items: list[Node] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            items.append(self._node(event, events, depth + 1))
        return ListNode(index, index, tuple(items), size=1 + sum(item.size for item in items))

    def _mapping(self, index: int, events: Iterator[Event], depth: int) -> MapNode:
        values: dict[str, Node] = {}
        keys: dict[str, int] = {}
        size, broken = 1, False
        while not isinstance(event := next(events), MappingEndEvent):
            key_node = self._node(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if isinstance(value, ScalarNode) and not value.text and value.style is None:
                value = replace(value, at=key_node.at)  # the parser has nothing behind a key somewhere below it
            size += value.size
            key = self._key(key_node)
            if key is None:
                broken = True
            elif key in keys:
                line, _ = self.source.position(keys[key])
                self._say(key_node.at, f"the key `{key}` is here twice; the first is in line {line}")
            else:
                values[key], keys[key] = value, key_node.at
        return MapNode(index, index, values, keys, size=size, broken=broken)

    def _key(self, node: Node) -> str | None:
        if isinstance(node, ScalarNode) and node.text == "<<" and node.style is None:
            self._say(node.at, "`<<` is no part of YAML 1.2; write the keys out")
        elif isinstance(node, ScalarNode) and isinstance(node.value, str):
            return None if node.broken else node.value  # what is wrong with it was said
        elif isinstance(node, ScalarNode):
            self._say(node.at, f"a key must be text; put `{node.text}` in quotes")
        else:
            self._say(node.at, "a key must be text, not a list or a mapping")
        return None

    def _say(self, index: int, what: str) -> None:
        self.problems.append(self.source.problem(index, what))

    def _stop(self, index: int, what: str) -> NoReturn:
        raise InvalidPlanError([*self.problems, self.source.problem(index, what)])


def _plain(node: Node) -> Any:
    if isinstance(node, MapNode):
        return {key: _plain(value) for key, value in node.values.items()}
    if isinstance(node, ListNode):
        return tuple(_plain(item) for item in node.items)
    return node.value if isinstance(node, ScalarNode) else None
