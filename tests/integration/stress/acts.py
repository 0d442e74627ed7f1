"""What can happen in a scenario, one act at a time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Write:
    """A statement of the application, in the transaction that its connection has open, or in a new one.

    :param table: number of a base relation, or of a target.
    :param kind: ``insert``, ``update``, ``move`` (update that changes keys), ``delete``, ``same`` (an update that
        changes nothing that a mapping reads).
    :param seeds: what the values and the condition are chosen by.
    :param commit: whether the transaction is committed behind it.
    :param savepoint: whether it runs in a subtransaction.
    """

    writer: int
    table: int
    target: bool
    kind: str
    seeds: tuple[int, ...]
    commit: bool
    savepoint: bool


@dataclass(frozen=True, slots=True)
class Commit:
    """The end of a connection's transaction: ``commit`` or ``rollback``."""

    writer: int
    how: str


@dataclass(frozen=True, slots=True)
class Truncate:
    """The application truncates a base relation, if nobody is in its way."""

    table: int


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of an applier.

    :param between: other acts, each before the n-th statement of the batch.
    """

    target: int
    between: tuple[tuple[int, Write | Commit], ...]


@dataclass(frozen=True, slots=True)
class Kill:
    """An applier dies before its commit, and another one takes over."""

    target: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A step of a chunk worker: it claims, reads and writes, or ends.

    :param how: how far it goes: ``claim``, ``read`` (nothing is committed), ``commit``, ``rollback``.
    """

    worker: int
    mapping: int
    how: str
    between: tuple[tuple[int, Write | Commit], ...]


@dataclass(frozen=True, slots=True)
class Check:
    """Compare, while anything may be pending."""


@dataclass(frozen=True, slots=True)
class Rotate:
    """Rotate and empty the change logs, as far as that may be done."""


@dataclass(frozen=True, slots=True)
class Register:
    """The next mapping begins."""


Act = Write | Commit | Truncate | Batch | Kill | Chunk | Check | Rotate | Register
