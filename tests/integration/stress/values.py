"""The logical columns that every random table has, and the small pools that their values come from.

The pools are small so that rows meet: equal keys, joins that hit, NULLs, numbers that are equal and look different.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

COLUMNS: Final = {
    "j": "integer",
    "s": "text",
    "n": "numeric",
    "c": "ext.citext",
    "w": "timestamptz",
    "f": "boolean",
    "js": "jsonb",
    "z": "integer",
}
"""Logical name -> type. ``z`` is never read by a mapping."""

POOLS: Final = {
    "integer": ["0", "1", "2", "NULL", "3", "-1"],
    "bigint": ["1", "2", "3", "4", "5", "9007199254740993"],
    "text": ["'a'", "'b'", "' A '", "NULL", "''", "'é\\n%'"],
    "numeric": ["1", "1.0", "2.50", "NULL", "-0.5", "'NaN'"],
    "ext.citext": ["'x'", "'X'", "'y'", "NULL", "'Y '", "''"],
    "timestamptz": [
        "'2024-01-01 00:00:00+00'",
        "'2024-06-30 23:59:59.5+02'",
        "NULL",
        "'infinity'",
        "'2024-01-01 01:00:00+01'",
        "'-infinity'",
    ],
    "boolean": ["true", "false", "NULL"],
    "jsonb": ["""'["a", "b", "a"]'""", "'[]'", "NULL", "'[null, 1]'", """'{"k": 1}'""", """'["b"]'"""],
    "uuid": [f"'{number}0000000-0000-4000-8000-00000000000{number}'" for number in range(6)],
}

BORN: Final = {
    "integer": "100",
    "bigint": "100",
    "text": "'born'",
    "numeric": "100.5",
    "ext.citext": "'Born'",
    "timestamptz": "'1999-01-01 00:00:00+00'",
    "uuid": "'b0000000-0000-4000-8000-00000000000b'",
}
"""A key value that no mapping can yield: rows of it are born in the new model whatever happens."""


def pick(type_name: str, seed: int) -> str:
    """A literal of the type's pool."""
    pool = POOLS[type_name]
    return f"{pool[seed % len(pool)]}::{type_name}"


def pick_not_null(type_name: str, seed: int) -> str:
    """A literal of the type's pool that is not NULL."""
    pool = [text for text in POOLS[type_name] if text != "NULL"]
    return f"{pool[seed % len(pool)]}::{type_name}"


def quoted(name: str) -> str:
    """Quote an identifier; written anew here, so that the tests do not lean on what they test."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class Table:
    """A random base table.

    :param keyed: ``bigint``, ``uuid``, ``text``, ``composite`` or ``none``.
    :param odd: whether its columns have names that must be quoted.
    :param wide: whether rows are so wide that a block holds few, so that there are several chunks.
    """

    number: int
    name: str
    keyed: str
    odd: bool
    wide: bool

    @property
    def sql(self) -> str:
        """The qualified name."""
        return f'"Old".{quoted(self.name)}'

    def column(self, logical: str) -> str:
        """The quoted name of a logical column."""
        return quoted(f'{logical.upper()} "%' if self.odd else logical)

    def key_columns(self) -> list[tuple[str, str]]:
        """(logical name, type) of the columns of its primary key, or of what stands for one."""
        if self.keyed == "composite":
            return [("k1", "integer"), ("k2", "text")]
        return [("id", "bigint" if self.keyed == "none" else self.keyed)]

    def columns(self) -> dict[str, str]:
        """Logical name -> type of all columns."""
        return {**dict(self.key_columns()), **COLUMNS}

    def create(self) -> str:
        """The statement that makes it."""
        columns = [f"{self.column(name)} {kind}" for name, kind in self.columns().items()]
        if self.keyed != "none":
            columns.append(f"PRIMARY KEY ({', '.join(self.column(name) for name, _ in self.key_columns())})")
        pad = f", {self.column('pad')} text DEFAULT repeat('x', 1900)" if self.wide else ""
        plain = f"; ALTER TABLE {self.sql} ALTER {self.column('pad')} SET STORAGE PLAIN" if self.wide else ""
        return f"CREATE TABLE {self.sql} ({', '.join(columns)}{pad}){plain}"

    def insert(self, seeds: tuple[int, ...]) -> str:
        """The statement that adds one row, of values chosen by ``seeds``."""
        columns = self.columns()
        keys = {name for name, _ in self.key_columns()}
        values = []
        for place, (name, kind) in enumerate(columns.items()):
            seed = seeds[place % len(seeds)]
            values.append(pick_not_null(kind, seed) if name in keys and self.keyed != "none" else pick(kind, seed))
        listed = ", ".join(self.column(name) for name in columns)
        return f"INSERT INTO {self.sql} ({listed}) VALUES ({', '.join(values)})"
