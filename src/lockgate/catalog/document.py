"""What a schema is, as a document: sorted objects with their properties, the same on servers of every major version.

It is the one description of a schema that is compared or hashed: approvals, backups and round trips use it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from lockgate import sqlfiles
from lockgate.sql.views import plain

Value = str | tuple[str, ...]

_OF_RELATIONS = (
    "schema", "extension", "table", "view", "materialized view", "column", "constraint", "index", "statistics",
    "trigger", "rule", "policy", "sequence",
)  # fmt: skip
_OTHERS = (
    "enum", "domain", "type", "function", "aggregate", "operator", "operator class", "cast", "collation",
    "text search configuration", "text search dictionary", "foreign server", "event trigger", "publication", "grant",
    "comment",
)  # fmt: skip
_NOTES = frozenset({"column order", "value"})
_SCHEMAS_ARE_PUBLISHED = 150_000
_PINNED = {
    "search_path": "pg_catalog",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "quote_all_identifiers": "off",
    "jit": "off",
}
"""What decides how the server writes a definition; and compiling these queries costs more than it saves."""
RELATIONS = frozenset({"table", "view", "materialized view"})


@dataclass(frozen=True, slots=True)
class Object:
    """Something of a schema.

    :param name: as SQL writes it, with its schema; ``core.parties.id`` for the part of a table.
    :param table: the relation that it is a part of, or is itself; None for anything else.
    :param notes: what is told of beside the schema, and not hashed: the order of a table's columns, and how far a
        sequence is.
    """

    kind: str
    name: str
    properties: Mapping[str, Value]
    table: str | None = None
    notes: Mapping[str, Value] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from all others."""
        return self.kind, self.name


@dataclass(frozen=True)
class Document:
    """The objects of a schema, sorted by kind and name."""

    objects: tuple[Object, ...]

    @cached_property
    def digest(self) -> str:
        """The hash of all but the notes, hexadecimal: equal for equal schemas."""
        return sha256(_text([[*item.key, dict(item.properties)] for item in self.objects]).encode()).hexdigest()

    @cached_property
    def by_key(self) -> Mapping[tuple[str, str], Object]:
        """Kind and name -> the object."""
        return {item.key: item for item in self.objects}

    def of(self, relation: str) -> Document:
        """What belongs to one relation and, if it is partitioned, to its partitions.

        :param relation: its name as SQL writes it.
        """
        parts: dict[Value, list[str]] = defaultdict(list)
        for item in self.objects:
            if item.kind == "table" and "partition of" in item.properties:
                parts[item.properties["partition of"]].append(item.name)
        family, reached = {relation}, [relation]
        while reached:
            reached = [part for name in reached for part in parts[name]]
            family.update(reached)
        return Document(tuple(item for item in self.objects if item.table in family))

    def to_json(self) -> str:
        """A text, from which :meth:`from_json` makes an equal document; an object a line, to compare two by eye."""
        lines = [_text([*o.key, o.table, dict(o.properties), dict(o.notes)]) for o in self.objects]
        return "[\n" + ",\n".join(lines) + "\n]\n"

    @classmethod
    def from_json(cls, text: str) -> Document:
        """:raises ValueError: for a text of another form."""
        try:
            return cls(tuple(Object(k, n, _values(p), t, _values(x)) for k, n, t, p, x in json.loads(text)))
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError("it is not the description of a schema") from error


def read(conn: Connection[Any], *, passing: bool = True) -> Document:
    """The present schema, a query a kind; the session's settings do not matter.

    :param passing: whether to read what comes and goes with the application's work: partitions, and how far sequences
        are.
    """
    found: list[Object] = []
    # Rolled back, so that the settings end here even within a transaction of the caller's.
    with conn.transaction(force_rollback=True), conn.cursor(row_factory=dict_row) as cursor:
        for name, value in _PINNED.items():
            cursor.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))
        for kind, query in _queries(conn.info.server_version >= _SCHEMAS_ARE_PUBLISHED):
            rows = cursor.execute(query, {"passing": passing}).fetchall()
            found.extend(_object(kind, row) for row in rows)
    return Document(tuple(sorted(found, key=lambda item: item.key)))


def _queries(schemas_are_published: bool) -> list[tuple[str, bytes]]:
    files = dict.fromkeys(_OF_RELATIONS, "document") | dict.fromkeys(_OTHERS, "document_others")
    scope = sqlfiles.load("lockgate.catalog", "document.scope")
    named = [(kind, f"{file}.{kind.replace(' ', '_')}") for kind, file in files.items()]
    if schemas_are_published:
        named += [(f"published {what}", f"document_others.published_{what}") for what in ("table", "schema")]
    else:
        named += [("published table", "document_others.published_table_before_15")]
    return [(kind, scope + b"\n" + sqlfiles.load("lockgate.catalog", name)) for kind, name in named]


def _object(kind: str, row: dict[str, Any]) -> Object:
    name, table = row.pop("name"), row.pop("table", None)
    if kind in {"view", "materialized view"}:
        row["definition"] = plain(row["definition"])
    said = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items() if value is not None}
    notes = {key: said.pop(key) for key in _NOTES & said.keys()}
    return Object(kind, name, said, table, notes)


def _values(said: Mapping[str, Any]) -> dict[str, Value]:
    return {key: value if isinstance(value, str) else tuple(value) for key, value in said.items()}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
