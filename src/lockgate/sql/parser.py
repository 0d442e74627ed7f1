"""PostgreSQL's own parser, libpg_query: the library and the description of its trees that the package postgast brings.

They are called here and not through postgast's modules: those are all imported when one of them is, a formatter and
classes of their own for each kind of node too, which took longer than all else that linting a file takes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from ctypes import POINTER, Structure, c_char_p, c_int, c_size_t, c_void_p
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

Message = Any  # of protobuf; its class is made at run time


class ParserError(Exception):
    """The parser does not take a text, or a tree.

    :ivar position: the character of the text, from 1; 0 if the parser does not say.
    """

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


def parse(text: str) -> Message:
    """The ``ParseResult`` of a text.

    :raises ParserError: if it is not SQL.
    """
    result = _lib.pg_query_parse_protobuf(text.encode())
    try:
        _check(result)
        return _ParseResult.FromString(_bytes(result.data))
    finally:
        _lib.pg_query_free_protobuf_parse_result(result)


def single(node: bytes) -> Message:
    """The ``ParseResult`` of one statement, whose ``Node`` is given as it is serialized."""
    tree = _ParseResult()
    tree.stmts.add().stmt.ParseFromString(node)
    return tree


def deparse(tree: Message) -> str:
    """A ``ParseResult`` as SQL.

    :raises ParserError: if it cannot be written.
    """
    data = tree.SerializeToString()
    buffer = ctypes.create_string_buffer(data, len(data))
    result = _lib.pg_query_deparse_protobuf(_Data(len(data), ctypes.addressof(buffer)))
    try:
        _check(result)
        written: bytes = result.query
        return written.decode()
    finally:
        _lib.pg_query_free_deparse_result(result)


def scan(text: str) -> list[tuple[int, int]]:
    """Where each token of a text begins and ends, in bytes; comments too.

    :raises ParserError: if it ends within a text or a comment.
    """
    result = _lib.pg_query_scan(text.encode())
    try:
        _check(result)
        return [(token.start, token.end) for token in _ScanResult.FromString(_bytes(result.data)).tokens]
    finally:
        _lib.pg_query_free_scan_result(result)


def split(text: str) -> list[str]:
    """The statements of a text that need not be SQL, cut at its semicolons.

    :raises ParserError: if it ends within a text or a comment.
    """
    data = text.encode()
    result = _lib.pg_query_split_with_scanner(data)
    try:
        _check(result)
        found = (result.statements[number].contents for number in range(result.count))
        return [data[each.start : each.start + each.length].decode() for each in found]
    finally:
        _lib.pg_query_free_split_result(result)


@cache
def words() -> frozenset[str]:
    """The names of the tokens: words of SQL in capitals, some with ``_P`` behind them, and some that are no words."""
    return frozenset(_pool.FindEnumTypeByName("pg_query.Token").values_by_name)


# --- the library ------------------------------------------------------------------------------------------------------


class _Error(Structure):
    _fields_ = (
        ("message", c_char_p),
        ("function", c_char_p),
        ("file", c_char_p),
        ("line", c_int),
        ("position", c_int),
        ("context", c_char_p),
    )


class _Data(Structure):
    """Not ``c_char_p``, for which it would end at the first zero byte."""

    _fields_ = (("length", c_size_t), ("at", c_void_p))


class _Tree(Structure):
    """A tree, or tokens."""

    _fields_ = (("data", _Data), ("said", c_char_p), ("error", POINTER(_Error)))


class _Piece(Structure):
    _fields_ = (("start", c_int), ("length", c_int))


class _Pieces(Structure):
    _fields_ = (
        ("statements", POINTER(POINTER(_Piece))),
        ("count", c_int),
        ("said", c_char_p),
        ("error", POINTER(_Error)),
    )


class _Written(Structure):
    _fields_ = (("query", c_char_p), ("error", POINTER(_Error)))


_CALLS = (
    ("pg_query_parse_protobuf", c_char_p, _Tree, "pg_query_free_protobuf_parse_result"),
    ("pg_query_scan", c_char_p, _Tree, "pg_query_free_scan_result"),
    ("pg_query_split_with_scanner", c_char_p, _Pieces, "pg_query_free_split_result"),
    ("pg_query_deparse_protobuf", _Data, _Written, "pg_query_free_deparse_result"),
)


def _check(result: Any) -> None:
    if result.error:
        error = result.error.contents
        raise ParserError(error.message.decode(), error.position)


def _bytes(data: Any) -> bytes:
    return ctypes.string_at(data.at, data.length)


def _library(folder: Path) -> ctypes.CDLL:
    names = ("libpg_query.so", "libpg_query.dylib", "pg_query.dll")
    library = ctypes.CDLL(str(next(path for name in names if (path := folder / name).exists())))
    for name, takes, gives, free in _CALLS:
        function, freeing = getattr(library, name), getattr(library, free)
        function.argtypes, function.restype = [takes], gives
        freeing.argtypes, freeing.restype = [gives], None
    return library


# --- the description of the trees -------------------------------------------------------------------------------------


def _described(folder: Path) -> DescriptorPool:
    """Apart from other packages that may have registered the same."""
    pool = DescriptorPool()
    for file in _files((folder / "pg_query.desc").read_bytes()):
        pool.AddSerializedFile(file)
    return pool


def _files(data: bytes) -> Iterator[bytes]:
    """The files of a ``FileDescriptorSet``, which is nothing but them: for each tag, length in base 128, and text."""
    at = 0
    while at < len(data):
        length, shift, at = 0, 0, at + 1
        while data[at] >= 128:
            length, shift, at = length | (data[at] & 127) << shift, shift + 7, at + 1
        length, at = length | data[at] << shift, at + 1
        yield data[at : at + length]
        at += length


def _folder() -> Path:
    """Where postgast is installed, without importing it."""
    spec = find_spec("postgast")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


_lib = _library(_folder())
_pool = _described(_folder())
Node: type[Message] = GetMessageClass(_pool.FindMessageTypeByName("pg_query.Node"))
"""The class of the wrappers: each holds a node of any kind."""
_ParseResult = GetMessageClass(_pool.FindMessageTypeByName("pg_query.ParseResult"))
_ScanResult = GetMessageClass(_pool.FindMessageTypeByName("pg_query.ScanResult"))
