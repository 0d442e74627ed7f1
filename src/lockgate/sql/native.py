"""libpg_query called directly, as the package postgast brings it.

Importing that package makes classes and helpers of which nothing here is used, for longer than a file is linted.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_char_p, c_int, c_size_t, c_void_p
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_LIBRARIES = ("libpg_query.so", "libpg_query.dylib", "pg_query.dll")
_NODES = "pg_query.desc"


class ParserError(Exception):
    """The text is no SQL.

    :param cursorpos: where, as the number of a character, from 1; 0 if it is not known.
    """

    def __init__(self, message: str, cursorpos: int) -> None:
        super().__init__(message)
        self.message = message
        self.cursorpos = cursorpos


class _Error(Structure):
    _fields_ = (
        ("message", c_char_p),
        ("funcname", c_char_p),
        ("filename", c_char_p),
        ("lineno", c_int),
        ("cursorpos", c_int),
        ("context", c_char_p),
    )


class _Bytes(Structure):
    _fields_ = (("length", c_size_t), ("data", c_void_p))


class _Message(Structure):
    """What parsing and scanning give."""

    _fields_ = (("message", _Bytes), ("stderr", c_char_p), ("error", POINTER(_Error)))


class _Piece(Structure):
    _fields_ = (("start", c_int), ("length", c_int))


class _Split(Structure):
    _fields_ = (
        ("pieces", POINTER(POINTER(_Piece))),
        ("count", c_int),
        ("stderr", c_char_p),
        ("error", POINTER(_Error)),
    )


class _Text(Structure):
    _fields_ = (("text", c_char_p), ("error", POINTER(_Error)))


def parsed(text: bytes) -> bytes:
    """The ``ParseResult`` of a text, serialized.

    :raises ParserError: if it is not SQL.
    """
    return _message("pg_query_parse_protobuf", "pg_query_free_protobuf_parse_result", text)


def scanned(text: bytes) -> bytes:
    """The ``ScanResult`` of a text, serialized.

    :raises ParserError: if it ends within a text or a comment.
    """
    return _message("pg_query_scan", "pg_query_free_scan_result", text)


def _message(function: str, free: str, text: bytes) -> bytes:
    result = _function(function, c_char_p, _Message)(text)
    try:
        _check(result)
        return ctypes.string_at(result.message.data, result.message.length)
    finally:
        _function(free, _Message, None)(result)


def split(text: bytes) -> list[tuple[int, int]]:
    """Where each statement of a text begins, and how long it is, in bytes, cut at semicolons.

    :raises ParserError: if it ends within a text or a comment.
    """
    result = _function("pg_query_split_with_scanner", c_char_p, _Split)(text)
    try:
        _check(result)
        pieces = [result.pieces[number].contents for number in range(result.count)]
        return [(piece.start, piece.length) for piece in pieces]
    finally:
        _function("pg_query_free_split_result", _Split, None)(result)


def deparsed(tree: bytes) -> bytes:
    """A serialized ``ParseResult`` as SQL.

    :raises ParserError: if it cannot be written.
    """
    buffer = ctypes.create_string_buffer(tree, len(tree))
    given = _Bytes(len(tree), ctypes.cast(buffer, c_void_p))
    result = _function("pg_query_deparse_protobuf", _Bytes, _Text)(given)
    try:
        _check(result)
        written: bytes = result.text
        return written
    finally:
        _function("pg_query_free_deparse_result", _Text, None)(result)


def message(name: str) -> type[Any]:
    """The class of a kind of node, such as ``ParseResult``."""
    found: type[Any] = GetMessageClass(_pool().FindMessageTypeByName(f"pg_query.{name}"))
    return found


def names(enum: str) -> list[str]:
    """The names of an enumeration's values, such as ``Token``."""
    return [value.name for value in _pool().FindEnumTypeByName(f"pg_query.{enum}").values]


def _check(result: Any) -> None:
    if result.error:
        error = result.error.contents
        raise ParserError((error.message or b"unknown error").decode(), error.cursorpos)


@cache
def _folder() -> Path:
    found = find_spec("postgast")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(str(next(path for name in _LIBRARIES if (path := _folder() / name).is_file())))


@cache
def _function(name: str, takes: Any, gives: Any) -> Any:
    found = _library()[name]
    found.argtypes, found.restype = [takes], gives
    return found


@cache
def _pool() -> DescriptorPool:
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString((_folder() / _NODES).read_bytes()).file:
        pool.Add(file)
    return pool
