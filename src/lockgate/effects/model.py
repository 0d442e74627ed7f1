"""Locks of relations, and the other effects of a statement."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple


class Mode(Enum):
    """A mode of lock on a relation, from the weakest to the strongest."""

    ACCESS_SHARE = "ACCESS SHARE"
    ROW_SHARE = "ROW SHARE"
    ROW_EXCLUSIVE = "ROW EXCLUSIVE"
    SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
    SHARE = "SHARE"
    SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
    EXCLUSIVE = "EXCLUSIVE"
    ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"

    def conflicts(self, other: Mode) -> bool:
        """Whether one waits for the other. It is the same both ways."""
        return other in _CONFLICTS[self]

    def covers(self, other: Mode) -> bool:
        """Whether who holds this one is no worse off for holding the other too."""
        return _CONFLICTS[other] <= _CONFLICTS[self]

    @property
    def strong(self) -> bool:
        """Whether it stops writers of the table, or readers too."""
        return self.conflicts(Mode.ROW_EXCLUSIVE)


_ORDER = list(Mode)
# Which modes each of them waits for, as numbers of their order.
_CONFLICTS = {
    mode: frozenset(_ORDER[number] for number in numbers)
    for mode, numbers in zip(
        Mode,
        [
            {7},
            {6, 7},
            {4, 5, 6, 7},
            {3, 4, 5, 6, 7},
            {2, 3, 5, 6, 7},
            {2, 3, 4, 5, 6, 7},
            set(range(1, 8)),
            set(range(8)),
        ],
        strict=True,
    )
}


def strongest(modes: Iterable[Mode]) -> set[Mode]:
    """Those that tell the whole: one, or two of which neither covers the other (SHARE, and one that writes)."""
    held = set(modes)
    return {mode for mode in held if not any(other is not mode and other.covers(mode) for other in held)}


def in_order(modes: Iterable[Mode]) -> list[Mode]:
    """From the weakest to the strongest."""
    return sorted(modes, key=_ORDER.index)


class Lock(NamedTuple):
    """A lock that a statement takes.

    :param relation: quoted name.
    """

    relation: str
    mode: Mode


class Effects(NamedTuple):
    """What a statement does while it runs. All names are quoted, and sorted.

    Of indexes and sequences only locks are told that are stronger than those of every read and write. What the
    statement itself makes is left out, and so are system catalogs and TOAST tables, which share their table's fate.

    :param rewrites: tables and materialized views that are written anew, row by row.
    :param empties: those that get an empty file instead.
    :param rebuilds: indexes that are there and are built anew.
    :param scans: what is read from its first to its last row, whatever the planner thinks.
    :param planned: whether the planner decides what else is read.
    :param unknown: sentences: what could not be told, and why.
    """

    locks: tuple[Lock, ...] = ()
    rewrites: tuple[str, ...] = ()
    empties: tuple[str, ...] = ()
    rebuilds: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    planned: bool = False
    unknown: tuple[str, ...] = ()

    def strong(self) -> list[str]:
        """The relations whose lock stops writers, or readers too."""
        return sorted({lock.relation for lock in self.locks if lock.mode.strong})
