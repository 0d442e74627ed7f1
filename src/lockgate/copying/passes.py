"""Passes: what differs is looked for and copied again, until a pass finds nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.copying import comparing, writing
from lockgate.copying.comparing import Difference, Key
from lockgate.copying.order import Order, Unit
from lockgate.copying.pairs import Pair
from lockgate.copying.source import Source
from lockgate.copying.writing import Written
from lockgate.engine import sqlerrors
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.errors import Interrupted
from lockgate.ledger import copies
from lockgate.ledger.copies import CopyRow
from lockgate.mapping.poison import is_refusal

Then = Callable[[Connection[Any], Written], None] | None
_AT_ONCE = 5_000  # keys in one query
_REFUSALS = 20  # of a table in one pass; whoever has more has one reason for all of them


@dataclass(slots=True)
class Target:
    """This database, over one connection at a time."""

    ctx: StepContext
    _conn: Connection[Any] | None = None

    def connection(self) -> Connection[Any]:
        """The connection, a new one if the last was lost."""
        if self._conn is None or self._conn.closed:
            self._conn = self.ctx.sessions.open("copy")
        return self._conn

    def close(self) -> None:
        """Leave the connection."""
        if self._conn is not None:
            self._conn.close()
        self._conn = None


@dataclass(slots=True)
class Pass:
    """What one pass found and did.

    :param refused: rows that this database does not take, and the reasons.
    """

    number: int
    differences: list[Difference]
    written: int = 0
    removed: int = 0
    waiting: int = 0
    refused: int = 0
    reasons: set[str] = field(default_factory=set)

    @property
    def found(self) -> int:
        return sum(difference.found for difference in self.differences)

    @property
    def moved(self) -> int:
        return self.written + self.removed

    def sentence(self) -> str:
        """What it says to people."""
        if not self.found:
            born = sum(difference.born for difference in self.differences)
            return f"pass {self.number}: nothing differs" + (f"; {born} rows were born here" if born else "")
        parts = [f"{d.pair.table.label} {d.found}{' or more' if d.more else ''}" for d in self.differences if d.found]
        said = f"pass {self.number}: {self.found} rows differ ({', '.join(parts)}), {self.written} copied"
        if self.removed:
            said += f", {self.removed} removed"
        return said

    def left(self) -> str:
        """Why rows are not as they are there, in words."""
        parts = [
            f"{len(d.clashing)} rows of {d.pair.table.label} were written here and differ"
            for d in self.differences
            if d.clashing
        ]
        if self.waiting:
            parts.append(f"{self.waiting} rows refer to rows that are not here")
        if self.refused:
            parts.append(f"{self.refused} rows or more are refused: {'; '.join(sorted(self.reasons))}")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Copying:
    """A copy at work."""

    ctx: StepContext
    source: Source
    target: Target
    copy: CopyRow
    order: Order
    silent: bool
    where: str

    def one_pass(self, number: int) -> Pass:
        """Look for what differs, remove what is gone (children first), and copy the rest (parents first)."""
        done = Pass(number, [self._compare(pair) for pair in self.order.pairs])
        by_oid = {difference.pair.table.oid: difference for difference in done.differences}
        for unit in reversed(self.order.units):
            self._remove(unit, by_oid, done)
        for unit in self.order.units:
            if unit.circle:
                self._put_circle(unit, by_oid, done)
                continue
            difference = by_oid[unit.pairs[0].table.oid]
            for keys in _pieces(difference.wanted):
                self._put(unit, keys, done)
        fault("copy.pass")
        return done

    def agree(self, differences: Sequence[Difference]) -> None:
        """Note what the source holds, now that nothing differs."""

        def note() -> None:
            conn = self.target.connection()
            with self.ctx.fenced(conn):
                for difference in differences:
                    copies.agreed(conn, self.copy.id, difference.pair.table.oid, difference.source)

        self.source.patiently(note, self.target.close)

    # --- a table ------------------------------------------------------------------------------------------------

    def _compare(self, pair: Pair) -> Difference:
        self._permitted()

        def look() -> Difference:
            conn = self.target.connection()
            with self.source.transaction() as there:
                found = comparing.compare(conn, there, self.copy, pair)
            with self.ctx.fenced(conn):
                copies.own(conn, self.copy.id, pair.table.oid, found.own)
            return found

        return self.source.patiently(look, self.target.close)

    def _remove(self, unit: Unit, by_oid: dict[int, Difference], done: Pass) -> None:
        gone = {pair.table.oid: by_oid[pair.table.oid].gone for pair in unit.pairs}
        together = unit.circle or any(key.parent == key.child for key in self.order.of(unit.pairs[0]))
        pieces = [gone] if together else [{oid: piece} for oid, listed in gone.items() for piece in _pieces(listed)]
        for piece in pieces:
            if any(piece.values()):
                self._permitted()
                done.removed += self.source.patiently(partial(self._remove_now, unit, piece), self.target.close)

    def _remove_now(self, unit: Unit, gone: Mapping[int, Sequence[tuple[Key, int]]]) -> int:
        conn = self.target.connection()
        with self.ctx.fenced(conn):
            return writing.remove(conn, self.copy, unit, gone, silent=self.silent)

    def _put(self, unit: Unit, keys: Sequence[Key], done: Pass) -> None:
        """Copy the rows of some keys; those that are refused one by one, so that the others do not suffer for them."""
        self._permitted()
        pair = unit.pairs[0]
        try:
            written = self.source.patiently(partial(self._put_now, unit, {pair.table.oid: keys}), self.target.close)
        except psycopg.Error as error:
            if not is_refusal(error) or done.refused >= _REFUSALS:
                raise sqlerrors.explain(error, self.where, f"{pair.table.label} does not take the rows") from error
            if len(keys) == 1:
                done.refused += 1
                done.reasons.add(f"{pair.table.label}: {sqlerrors.message(error)}")
                return
            middle = len(keys) // 2
            self._put(unit, keys[:middle], done)
            self._put(unit, keys[middle:], done)
            return
        done.written += written.written
        done.waiting += written.waiting

    def _put_circle(self, unit: Unit, by_oid: dict[int, Difference], done: Pass) -> None:
        keys = {pair.table.oid: by_oid[pair.table.oid].wanted for pair in unit.pairs}
        if not any(keys.values()):
            return
        try:
            written = self.source.patiently(partial(self._put_now, unit, keys), self.target.close)
        except psycopg.Error as error:
            names = ", ".join(pair.table.label for pair in unit.pairs)
            raise sqlerrors.explain(error, self.where, f"{names}, copied in one transaction, are refused") from error
        done.written += written.written
        done.waiting += written.waiting

    def _put_now(self, unit: Unit, keys: Mapping[int, Sequence[Key]]) -> Written:
        conn = self.target.connection()
        with self.source.transaction() as there:
            queries = {pair: writing.by_key(there, pair, keys[pair.table.oid]) for pair in unit.pairs}
            with writing.reading(there, queries) as feeds:
                return self.write(conn, unit, feeds)

    def write(self, conn: Connection[Any], unit: Unit, feeds: dict[int, Iterator[bytes]], then: Then = None) -> Written:
        """Write what is read there.

        :param then: what belongs into the same transaction.
        """
        with self.ctx.fenced(conn):
            if unit.circle:  # it idles until the first rows of the next table come
                conn.execute("SET LOCAL idle_in_transaction_session_timeout = '5min'")
            done = writing.put(conn, self.copy, self.order, unit, feeds, silent=self.silent)
            if then is not None:
                then(conn, done)
        return done

    def _permitted(self) -> None:
        if not self.ctx.health.permit(self.ctx.stop):
            raise Interrupted("Stopped while waiting", where=self.where, hint="`lockgate apply` goes on from here.")


def _pieces(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[n : n + _AT_ONCE] for n in range(0, len(items), _AT_ONCE)]
