"""The versioned schema files that come with this Lockgate."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

_FILE = re.compile(r"^(\d{3})_(\w+)\.sql$")


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """One file of ``ledger/schema``: ``<number>_<name>.sql``. Once released it is never changed again.

    :param sha256: hex, of its text with ``\\n`` line ends.
    """

    number: int
    name: str
    text: str
    sha256: str


@cache
def shipped() -> tuple[SchemaFile, ...]:
    """All files, by number. 010 to 019 belong to the mapping engine."""
    folder = files("lockgate.ledger").joinpath("schema")
    return ordered((item.name, item.read_text("utf-8")) for item in folder.iterdir())


def ordered(named: Iterable[tuple[str, str]]) -> tuple[SchemaFile, ...]:
    """Schema files from file names and texts, by number; other file names are left out.

    :raises ValueError: for two files of one number.
    """
    made: dict[int, SchemaFile] = {}
    for file_name, text in named:
        if match := _FILE.match(file_name):
            number = int(match[1])
            if number in made:
                raise ValueError(f"two schema files have the number {number}: {made[number].name}, {match[2]}")
            made[number] = SchemaFile(number, match[2], text, sha256(text.encode()).hexdigest())
    return tuple(made[number] for number in sorted(made))
