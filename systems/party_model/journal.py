"""What the load client saw: a line for each request, kept outside the database server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate.demo.journal import lines

NOT_STORED = "none"
"""The model that a service says it wrote while storing is switched off."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request and its end.

    :ivar at: when it was due, seconds since 1970.
    :ivar ms: milliseconds from when it was due, not from when it was sent, until the answer was read.
    :ivar ok: the answer said that everything that must be stored was.
    :ivar model: which model the service wrote, as it said; empty if there was no answer.
    :ivar people: CPF -> what the lead brought.
    :ivar error: what went wrong, empty if nothing did.
    """

    number: int
    kind: str
    at: float
    ms: float
    ok: bool
    status: int
    model: str
    lead: str
    people: Mapping[str, Mapping[str, Any]]
    erased: Sequence[str]
    error: str


def read(path: Path) -> Iterator[Entry]:
    """The entries in the order of their ends."""
    yield from (Entry(**line) for line in lines(path))
