"""What the load saw of each of its writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lockgate.demo.journal import lines


@dataclass(frozen=True, slots=True)
class Entry:
    """One write and its end.

    :ivar kind: ``lead``, ``say``, ``job`` or ``forget``.
    :ivar at: when it was due, seconds since 1970.
    :ivar ms: milliseconds from when it was due until its transaction was over.
    :ivar ok: it was committed.
    :ivar memory: whether the application used its memory for it.
    :ivar lead: the lead's id.
    :ivar values: what must be there since: a lead's ``phone`` and ``email``, a message's ``content``, a job's ``id``.
    :ivar error: what went wrong, empty if nothing did.
    """

    kind: str
    at: float
    ms: float
    ok: bool
    memory: bool
    lead: str
    values: Mapping[str, str]
    error: str


def read(path: Path) -> Iterator[Entry]:
    """The entries in the order of their ends."""
    for line in lines(path):
        yield Entry(**line)
