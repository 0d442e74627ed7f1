"""Parsing, walking and writing back SQL: the thin layer over the parser.

Every other module of this package speaks in the parser's messages through here. Offsets are in bytes of
the UTF-8 text, as the parser counts them; ``character_offset`` turns one into an index of the string.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from google.protobuf.message import Message

from lockgate.errors import PlanError
from lockgate.sql import parser
from lockgate.sql.parser import ParserError

Node = Any  # a protobuf message of the parser; its classes are made at run time


class SqlSyntaxError(PlanError):
    """The text is not PostgreSQL's SQL.

    :param offset: where, as an index of the text; ``None`` if the parser does not say.
    """

    def __init__(self, what: str, offset: int | None) -> None:
        super().__init__(what)
        self.offset = offset


def character_offset(text: str, byte_offset: int) -> int:
    """Turn the parser's offset in bytes into an index of ``text``."""
    return len(text.encode()[:byte_offset].decode(errors="ignore"))


def parse(text: str) -> list[Node]:
    """Parse SQL into its raw statements (``RawStmt``).

    :raises SqlSyntaxError: if it is not SQL.
    """
    try:
        return list(parser.parse(text).stmts)
    except ParserError as error:
        raise SqlSyntaxError(error.message, error.cursorpos - 1 if error.cursorpos else None) from None


def parse_one(text: str) -> Node:
    """Parse exactly one statement.

    :raises SqlSyntaxError: if it is not SQL, or not one statement.
    """
    statements = parse(text)
    if len(statements) != 1:
        raise SqlSyntaxError(f"one statement is wanted here, not {len(statements)}", 0)
    return statements[0]


def split_roughly(text: str) -> list[tuple[int, str]]:
    """The statements of a text that need not be SQL, cut at its semicolons, each with the character it begins at.

    :raises SqlSyntaxError: if it ends within a text or a comment.
    """
    try:
        found = parser.split(text)
    except ParserError as error:
        raise SqlSyntaxError(error.message, None) from None
    end, parts = 0, []
    for part in found:
        start = text.index(part, end)
        end = start + len(part)
        parts.append((start, part))
    return parts


def tokens(text: str) -> list[str]:
    """The tokens of a text, comments too, whatever they mean together.

    :raises SqlSyntaxError: if it ends within a text or a comment.
    """
    data = text.encode()
    try:
        return [data[start:end].decode() for start, end in parser.scan(text)]
    except ParserError as error:
        raise SqlSyntaxError(error.message, None) from None


def unwrap(node: Node) -> Node:
    """Return what a ``Node`` message holds; anything else is returned as it is."""
    if type(node) is not parser.Node:
        return node
    held = node.ListFields()
    return held[0][1] if held else None


def kind(node: Node) -> str:
    """Name the kind of a node, such as ``SelectStmt``."""
    inner = unwrap(node)
    return type(inner).__name__ if inner is not None else ""


def walk(node: Node) -> Iterator[Node]:
    """Yield ``node`` and everything below it, depth first, without the wrappers."""
    waiting = [node]
    while waiting:
        inner = unwrap(waiting.pop())
        if inner is None:
            continue
        yield inner
        below: list[Node] = []
        for field, value in inner.ListFields():
            if field.message_type is None:
                continue
            if isinstance(value, Message):
                below.append(value)
            else:
                below += value
        below.reverse()
        waiting += below


def location(node: Node) -> int:
    """Where the first part of a node stands that has a place, in bytes of the text; -1 if none has."""
    places = [inner.location for inner in walk(node) if "location" in inner.DESCRIPTOR.fields_by_name]
    return min((place for place in places if place >= 0), default=-1)


_PLACES = frozenset(
    {
        "location",
        "name_location",
        "stmt_location",
        "stmt_len",
        "list_start",
        "list_end",
        "rexpr_list_start",
        "rexpr_list_end",
    }
)


def copied(node: Node) -> Node:
    """A copy that may be changed."""
    copy = type(node)()
    copy.CopyFrom(node)
    return copy


def strip_locations(node: Node) -> Node:
    """Return a copy without source offsets, so that two trees can be compared."""
    copy = type(node)()
    copy.CopyFrom(node)
    for inner in walk(copy):
        for field, _ in inner.ListFields():
            if field.name in _PLACES:
                inner.ClearField(field.name)
    return copy


def deparse(statement: Node) -> str:
    """Write a statement (``RawStmt``) back as SQL that parses to the same tree.

    The parser's writer loses parentheses in a few rare forms; that is found here by reading the text again.

    :raises PlanError: if the text would mean something else.
    """
    return _write(statement.stmt.SerializeToString(deterministic=True))


# A run derives the same texts from a mapping each time that it looks whether it still fits the database.
@lru_cache(maxsize=1024)
def _write(serialized: bytes) -> str:
    result = parser.single(serialized)
    text = parser.deparse(result)
    try:
        again = parser.parse(text).stmts
    except ParserError:
        again = []
    if len(again) != 1 or strip_locations(again[0].stmt) != strip_locations(result.stmts[0].stmt):
        raise PlanError(
            f"the SQL cannot be rewritten exactly: it would become {text!r}",
            why="an expression loses its parentheses when it is written back",
            hint="write the expression in another way, for example with CASE",
        )
    return text


def expression(text: str) -> Node:
    """Parse one SQL expression and return its ``Node``.

    :raises SqlSyntaxError: if it is not one expression.
    """
    try:
        statement = parse_one(f"SELECT ({text}\n)")
    except SqlSyntaxError as error:
        raise SqlSyntaxError(str(error), None if error.offset is None else max(0, error.offset - 8)) from None
    select = statement.stmt.select_stmt
    if len(select.target_list) != 1 or _clauses(select) > {"target_list"} or _is_list(select, text):
        raise SqlSyntaxError("one expression is wanted here", 0)
    return select.target_list[0].res_target.val


def _clauses(select: Node) -> set[str]:
    return {field.name for field, _ in select.ListFields()} - {"op", "limit_option"}


def _is_list(select: Node, text: str) -> bool:
    """Whether a text is a list, which in parentheses reads as one row."""
    if kind(select.target_list[0].res_target.val) != "RowExpr":
        return False
    return len(parse_one(f"SELECT {text}").stmt.select_stmt.target_list) != 1


def sort_items(text: str) -> Node:
    """Parse one ORDER BY item and return its ``SortBy``.

    :raises SqlSyntaxError: if it is not one item.
    """
    prefix = "SELECT 1 ORDER BY "
    try:
        statement = parse_one(prefix + text)
    except SqlSyntaxError as error:
        raise SqlSyntaxError(str(error), None if error.offset is None else max(0, error.offset - len(prefix))) from None
    select = statement.stmt.select_stmt
    clause = select.sort_clause
    if len(clause) != 1 or _clauses(select) > {"target_list", "sort_clause"}:
        raise SqlSyntaxError("one ORDER BY item is wanted here", 0)
    return clause[0].sort_by


def may_be_word(name: str) -> bool:
    """Whether a name in small letters may be a word of SQL, which cannot stand for a table or a column everywhere."""
    return name.upper() in parser.words() or f"{name.upper()}_P" in parser.words()


def quote(name: str) -> str:
    """Quote an identifier always, so that the text needs no list of reserved words."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Quote a string literal, safe whatever ``standard_conforming_strings`` says."""
    body = value.replace("'", "''")
    return f" E'{body.replace(chr(92), chr(92) * 2)}'" if "\\" in value else f"'{body}'"


def enum(node: Node, field: str) -> str:
    """The parser's name for what an enumerated field says: ``enum(command, "subtype")`` is ``AT_AddColumn``."""
    return _enumerated.get((type(node), field, getattr(node, field))) or _learn(node, field)


# The parser's description is slow to ask.
_enumerated: dict[tuple[type, str, int], str] = {}


def _learn(node: Node, field: str) -> str:
    for number, value in node.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number.items():
        _enumerated[type(node), field, number] = value.name
    return _enumerated[type(node), field, getattr(node, field)]


def strings(nodes: Iterable[Node]) -> tuple[str, ...]:
    """The texts of a list of ``String`` nodes, such as the parts of a name, or the columns of a key."""
    return tuple(inner.sval for node in nodes if (inner := unwrap(node)) is not None)
