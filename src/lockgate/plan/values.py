"""The values of a plan: names, durations, SQL, expected values; each with a sentence for when it is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

from lockgate.patterns import split_pattern
from lockgate.plan.scalars import describe

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_LONGEST = timedelta(days=36_500)
IDENTIFIER_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SERVICE = re.compile(r"service=[\w.-]+")
_IDENTIFIER = re.compile(IDENTIFIER_PATTERN.strip("^$"))
_NAME_PART = re.compile(r'"(?:[^"]|"")+"|[^\W\d][\w$]*')
_ALIASED = re.compile(
    rf"(?P<relation>(?:{_NAME_PART.pattern})(?:\.(?:{_NAME_PART.pattern}))*)(?:\s+(?P<alias>{_NAME_PART.pattern}))?"
)
_COLUMNS = re.compile(r"(?P<table>.+)\.\((?P<columns>.+)\)")
_COMMENT = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_QUERY = re.compile(
    _COMMENT + r"\(*\s*(?:select\b|with\s+(?:recursive\s+)?(?:\"[^\"]+\"|[\w$]+)\s*(?:\([^)]*\)\s*)?as\b)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class ValueKind:
    """Says in words what a value is; the reference and the error messages use it."""

    words: str


@dataclass(frozen=True, slots=True)
class SqlMarker(ValueKind):
    """Marks a text that may be the path of a .sql file."""

    words: str = "SQL, or a .sql file"


def parse_duration(value: Any) -> timedelta:
    """Read ``500ms``, ``30s``, ``15m``, ``24h`` or ``30d``; fractions such as ``1.5s`` too, to the ms.

    :raises ValueError: if it is none of these.
    """
    if isinstance(value, timedelta):
        return value
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError(f"must be a number and a unit, such as 500ms, 30s or 24h, not {describe(value)}")
    milliseconds = float(found[1]) * _UNITS[found[2]]
    if milliseconds > _LONGEST / timedelta(milliseconds=1):
        raise ValueError("is longer than a hundred years")
    if abs(milliseconds - round(milliseconds)) > 1e-6:
        raise ValueError("is finer than a millisecond")
    return timedelta(milliseconds=round(milliseconds))


def format_duration(value: timedelta) -> str:
    """Write a duration in its largest whole unit, so that ``parse_duration`` reads it back."""
    milliseconds = value // timedelta(milliseconds=1)
    for unit in ("d", "h", "m", "s"):
        if milliseconds and milliseconds % _UNITS[unit] == 0:
            return f"{milliseconds // _UNITS[unit]}{unit}"
    return f"{milliseconds}ms"


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than 0")
    return value


def _server_limit(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than 0, which PostgreSQL takes for no limit at all")
    if value > timedelta(days=24):
        raise ValueError("must be at most 24d, the longest that PostgreSQL can count")
    return value


def split_name(name: str) -> tuple[str, ...] | None:
    """The parts of a dotted SQL name as the catalog holds them, or None if it is no such name.

    As in SQL, a part without quotes is folded to lower case, and ``"..."`` keeps case, dots and spaces.
    """
    parts: list[str] = []
    position = 0
    while found := _NAME_PART.match(name, position):
        part = found[0]
        parts.append(part[1:-1].replace('""', '"') if part.startswith('"') else part.lower())
        position = found.end()
        if position == len(name):
            return tuple(parts)
        if name[position] != ".":
            return None
        position += 1
    return None


def split_driving(name: str) -> tuple[str, str, str | None] | None:
    """The schema, name and alias (None if it has none) of ``schema.name alias``, or None if it is no such text."""
    found = _ALIASED.fullmatch(name.strip())
    parts = split_name(found["relation"]) if found else None
    if found is None or parts is None or len(parts) != 2:
        return None
    alias = split_name(found["alias"]) if found["alias"] else None
    return parts[0], parts[1], alias[0] if alias else None


def is_identifier(text: str) -> bool:
    """Whether a text can be the name of a plan, phase, step, mapping or measurement."""
    return _IDENTIFIER.fullmatch(text) is not None


def is_query(value: object) -> bool:
    """Whether an expected value is a query: a text that starts with SELECT or WITH."""
    return isinstance(value, str) and _QUERY.match(value) is not None


def _dotted(count: int, form: str) -> AfterValidator:
    def check(value: str) -> str:
        parts = split_name(value)
        if parts is None or len(parts) != count:
            raise ValueError(f"must be of the form {form}, not `{value}`")
        return value

    return AfterValidator(check)


def _driving(value: str) -> str:
    if split_driving(value) is None:
        raise ValueError(f"must be of the form schema.name, or schema.name alias, not `{value}`")
    return value


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):  # not shown: it may be an address, with a password
        raise ValueError(
            "must be the name of an environment variable, such as REPORTS_URL; an address does not belong here"
        )
    return value


def _address(value: str) -> str:
    if not _VARIABLE.fullmatch(value) and not _SERVICE.fullmatch(value):  # not shown, for the same reason
        raise ValueError(
            "must be the name of an environment variable, such as OLD_DATABASE_URL, or service=NAME for one of "
            "libpq's service file; an address does not belong here"
        )
    return value


def _column(value: str) -> str:
    parts = split_name(value)
    if parts is None or len(parts) != 1:
        raise ValueError(f"must be the name of a column, not `{value}`")
    return value


def _schema(value: str) -> str:
    parts = split_name(value)
    if parts is None or len(parts) != 1:
        raise ValueError(f"must be the name of a schema, not `{value}`")
    return value


def split_columns(name: str) -> tuple[str, str, tuple[str, ...]] | None:
    """The schema, table and columns of ``schema.table.column`` or ``schema.table.(column, column)``, else None."""
    found = _COLUMNS.fullmatch(name.strip())
    if found is None:
        parts = split_name(name)
        return (parts[0], parts[1], parts[2:]) if parts is not None and len(parts) == 3 else None
    table = split_name(found["table"])
    columns = [split_name(column.strip()) for column in found["columns"].split(",")]
    if table is None or len(table) != 2 or any(column is None or len(column) != 1 for column in columns):
        return None
    return table[0], table[1], tuple(column[0] for column in columns if column)


def _columns(value: str) -> str:
    if split_columns(value) is None:
        raise ValueError(f"must be of the form schema.table.column, or schema.table.(column, column), not `{value}`")
    return value


def _pattern(value: str) -> str:
    if split_pattern(value) is None:
        raise ValueError(f"must be of the form schema.name, in which * stands for anything, not `{value}`")
    return value


def _word(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not hold a zero byte, which no program can be given")
    return value


def _version(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"must be a version, in quotes if it is no whole number, not {describe(value)}")
    if not str(value).strip():
        raise ValueError("must be a version, not an empty text")
    return str(value)


_duration_schema = {
    "type": "string",
    "pattern": f"^{_DURATION.pattern}$",
    "examples": ["500ms", "30s", "15m", "24h", "30d"],
}
Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(_duration_schema),
    ValueKind("duration"),
]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Timeout = Annotated[Duration, AfterValidator(_server_limit)]
Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER_PATTERN), ValueKind("name")]
SqlText = Annotated[str, Field(min_length=1), SqlMarker()]
SqlFragment = Annotated[str, Field(min_length=1), ValueKind("SQL")]
Word = Annotated[str, Field(min_length=1), AfterValidator(_word), ValueKind("text")]
Variable = Annotated[str, AfterValidator(_variable), ValueKind("name of an environment variable")]
Version = Annotated[
    str,
    BeforeValidator(_version),
    WithJsonSchema({"type": ["string", "integer"], "examples": [9, "20260101120000"]}),
    ValueKind("version of a migration"),
]
AddressName = Annotated[
    str, AfterValidator(_address), ValueKind("name of an environment variable, or service=NAME of libpq")
]
ColumnName = Annotated[str, AfterValidator(_column), ValueKind("column")]
RelationName = Annotated[str, _dotted(2, "schema.name"), ValueKind("schema.name")]
RelationPattern = Annotated[str, AfterValidator(_pattern), ValueKind("schema.name, * for anything")]
DrivingName = Annotated[str, AfterValidator(_driving), ValueKind("schema.name, or schema.name alias")]
SchemaName = Annotated[str, AfterValidator(_schema), ValueKind("schema")]
ColumnsName = Annotated[str, AfterValidator(_columns), ValueKind("schema.table.column")]
RelationPart = Annotated[str, _dotted(3, "schema.table.name"), ValueKind("schema.table.name")]
Scalar = Annotated[str | int | float | bool | None, ValueKind("text, number, true, false or null")]
