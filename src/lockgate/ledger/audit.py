"""Whether the chain still is what was appended to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from lockgate.errors import UsageError
from lockgate.ledger import canonical, store
from lockgate.ledger.fields import GENESIS, Fields
from lockgate.ledger.queries import load
from lockgate.ledger.transactions import joined

_HEAD = re.compile(r"(\d+):([0-9a-f]{64})")
_FETCHED = 1000  # rows held in memory at once
_DIAGNOSED = 50  # rows of which the former number is looked for
_MOVED_BY = 1000  # how far away it is looked for


@dataclass(frozen=True, slots=True)
class ChainFault:
    """Something that no append has done.

    :param seq: the row; for rows that are missing, the first of them; None where it is about no row.
    :param what: one sentence for people, naming the row.
    """

    seq: int | None
    what: str


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the chain, or a head, as it stands: any constraint may have been dropped."""

    is_head: bool
    seq: int | None
    at_text: str | None
    run_id: int | None
    kind: str
    plan: str
    phase: str | None
    step: str | None
    payload: str | None
    prev: str | None
    hash: str | None


def verify(conn: Connection[Any], known_head: str | None = None) -> list[ChainFault]:
    """Look for rows that were changed, removed, inserted, moved or renumbered, the last ones included; and for
    what :func:`lockgate.ledger.store.faults` says of the tables themselves.

    Reads the whole chain in one snapshot, without holding anybody up. Somebody who hashes all rows anew from
    the first changed one on, and the head too, is found only with ``known_head``.

    :param known_head: what :func:`lockgate.ledger.chain.head` once returned, kept outside the database.
    :return: nothing when the chain is sound.
    :raises UsageError: when ``known_head`` is no such text.
    """
    walk = _Walk(_parsed(known_head))
    with joined(conn), conn.cursor("lockgate_chain", row_factory=class_row(_Row)) as cursor:
        cursor.itersize = _FETCHED
        cursor.execute(load("chain.everything"))
        for row in cursor:
            walk.head(row) if row.is_head else walk.row(row)
        walk.end()
    return [*walk.faults, *(ChainFault(None, what) for what in store.faults(conn))]


def _parsed(known_head: str | None) -> tuple[int, str] | None:
    if known_head is None:
        return None
    match = _HEAD.fullmatch(known_head.strip())
    if match is None:
        raise UsageError(
            f"{known_head!r} is not the head of a chain",
            hint="It is a number, a colon and 64 hex digits, as in the report or in plan.lock.json.",
        )
    return int(match[1]), match[2]


@dataclass(slots=True)
class _Walk:
    """Goes along the chain; ``seq`` and ``hash`` are those of the row that was seen last."""

    known: tuple[int, str] | None
    seq: int = 0
    hash: str | None = GENESIS
    heads: list[_Row] = field(default_factory=list)
    faults: list[ChainFault] = field(default_factory=list)
    diagnosed: int = 0

    def head(self, row: _Row) -> None:
        self.heads.append(row)
        if row.seq == 0:
            self._compare_head(row)

    def row(self, row: _Row) -> None:
        if row.seq is None:
            self._fault(None, "There is a row without a number.")
            return
        if row.seq > self.seq + 1:
            self._fault(self.seq + 1, f"{_rows(self.seq + 1, row.seq - 1)} missing.")
        elif row.seq <= self.seq:
            self._fault(row.seq, f"There is more than one row {row.seq}, or a row below 1.")
        elif row.prev != self.hash:
            self._fault(
                row.seq,
                f"Row {row.seq} does not follow {_named(self.seq)}: it was appended to one with the hash "
                f"{_short(row.prev)}, not {_short(self.hash)}. Either of them was replaced, inserted or moved.",
            )
        self._check_content(row, row.seq)
        self.seq, self.hash = row.seq, row.hash
        for head in self.heads:
            if head.seq == row.seq:
                self._compare_head(head)
        if self.known and self.known[0] == row.seq and self.known[1] != row.hash:
            self._fault(
                row.seq,
                f"Row {row.seq} has the hash {_short(row.hash)}, and the known head says {_short(self.known[1])}: "
                "it, or a row before it, was rewritten with all that follow.",
            )

    def end(self) -> None:
        """What only the end of the chain tells."""
        if len(self.heads) != 1:
            self._fault(None, f"The chain has {len(self.heads)} heads in lockgate.chain_head, not one.")
        for head in self.heads:
            if head.seq is None or head.seq > self.seq:
                self._fault(
                    self.seq + 1,
                    f"The chain was cut off behind {_named(self.seq)}: its head is row {head.seq}.",
                )
            elif head.seq < self.seq:
                self._fault(
                    head.seq + 1,
                    f"{_rows(head.seq + 1, self.seq)} behind the head, row {head.seq}: "
                    "inserted, or the head was set back.",
                )
        if self.known and self.known[0] > self.seq:
            self._fault(
                self.seq + 1,
                f"The known head is row {self.known[0]}, and the chain ends with {_named(self.seq)}: "
                "its end was removed, or this is another ledger.",
            )

    def _check_content(self, row: _Row, seq: int) -> None:
        try:
            payload = canonical.loads(row.payload or "null")
            found = Fields(seq, row.at_text, row.run_id, row.kind, row.plan, row.phase, row.step, payload, row.prev)
            sound = found.digest() == row.hash
        except (ValueError, RecursionError):
            self._fault(seq, f"The content of row {seq} was changed: no append writes such a payload.")
            return
        if not sound:
            former = self._former_number(found, row.hash)
            what = f"it was row {former}" if former else "its content was changed, or its hash"
            self._fault(seq, f"Row {seq} does not match its hash: {what}.")

    def _former_number(self, found: Fields, hash: str | None) -> int | None:
        """The number with which the row matches its hash, if it is near."""
        self.diagnosed += 1
        if self.diagnosed > _DIAGNOSED:
            return None
        return next((seq for seq in _around(found.seq) if replace(found, seq=seq).digest() == hash), None)

    def _compare_head(self, head: _Row) -> None:
        if head.hash != self.hash:
            self._fault(
                head.seq,
                f"The head says that {_named(self.seq)} has the hash {_short(head.hash)}; it has {_short(self.hash)}.",
            )

    def _fault(self, seq: int | None, what: str) -> None:
        self.faults.append(ChainFault(seq, what))


def _around(seq: int) -> Iterator[int]:
    for distance in range(1, _MOVED_BY + 1):
        yield seq - distance
        yield seq + distance


def _named(seq: int) -> str:
    return f"row {seq}" if seq else "the beginning"


def _rows(first: int, last: int) -> str:
    return f"Row {first} is" if first == last else f"Rows {first} to {last} are"


def _short(hash: str | None) -> str:
    return "none" if hash is None else f"{hash[:12]}..."
