"""One text for one value: how payloads are stored, and what the chain's hashes are taken of."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import PurePath
from typing import Any, TypeAlias
from uuid import UUID

import rfc8785
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from lockgate.errors import LedgerError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

SAFE_INTEGER = 2**53 - 1  # beyond it, JSON readers disagree about an integer
_AS_TEXT = (
    UUID,
    PurePath,
    Range,
    Multirange,
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
_UNSTORABLE = dict.fromkeys([0, *range(0xD800, 0xE000)], "\N{REPLACEMENT CHARACTER}")


def plain(value: object, where: str = "payload") -> Json:  # noqa: PLR0911, PLR0912 - a branch a type
    """``value`` as JSON values only, the same on every machine and in every session.

    ============================  ====================================================================
    integer                       number; beyond 2**53 - 1 either way, its digits as text
    float                         number; ``"NaN"``, ``"Infinity"``, ``"-Infinity"`` as text
    Decimal                       text, all its digits, no exponent
    datetime                      text: UTC with microseconds and ``Z``; without a zone: without ``Z``
    date, time                    text, ISO 8601
    timedelta                     number of seconds
    bytes                         text, ``\\x`` and hex digits
    UUID, address, range, path    text
    Enum                          its value
    dataclass, mapping            object; keys must be text
    list, tuple                   array
    ============================  ====================================================================

    U+0000 and lone surrogates, which PostgreSQL cannot store, become U+FFFD.

    :raises LedgerError: for anything else, naming its place.
    """
    match value:
        case None | bool():
            return value
        case Enum():
            return plain(value.value, where)
        case str():
            return value.translate(_UNSTORABLE)
        case int():
            return int(value) if abs(value) <= SAFE_INTEGER else str(int(value))
        case float():
            return float(value) if math.isfinite(value) else _not_finite(value)
        case Decimal():
            return format(value, "f")
        case datetime():
            return _timestamp(value)
        case date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes() | bytearray() | memoryview():
            return "\\x" + bytes(value).hex()
        case Mapping():
            return _object(value, where)
        case list() | tuple():
            return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, _AS_TEXT):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _object(fields, where)
    raise LedgerError(
        f"A value of type {type(value).__name__} cannot go into the ledger",
        where=where,
        hint="Give text, numbers, times, lists or mappings.",
    )


def dumps(value: Json) -> str:
    """JSON text for a jsonb parameter."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def loads(text: str) -> Json:
    """The JSON values of a jsonb column's text, as :func:`plain` made them.

    :raises ValueError: for a number that :func:`plain` would not have made (somebody else wrote it).
    """
    value: Json = json.loads(text, parse_int=_integer, parse_float=_real)
    return value


def encode(value: Json) -> bytes:
    """The canonical bytes (RFC 8785)."""
    return rfc8785.dumps(value)


def _integer(text: str) -> int | float:
    # jsonb keeps numbers in full: 1e22 comes back as 23 digits.
    return int(text) if abs(Decimal(text)) <= SAFE_INTEGER else _real(text)


def _real(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or Decimal(repr(value)) != Decimal(text):
        raise ValueError(f"{text} is not a number of the ledger")
    return value


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _timestamp(value: datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat(timespec="microseconds")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _object(value: Mapping[Any, Any], where: str) -> dict[str, Json]:
    made: dict[str, Json] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise LedgerError(f"A key of type {type(key).__name__} cannot go into the ledger", where=where)
        name = str(key).translate(_UNSTORABLE)
        if name in made:
            raise LedgerError(f"Two keys become {name!r} in the ledger", where=where)
        made[name] = plain(item, f"{where}.{name}")
    return made
