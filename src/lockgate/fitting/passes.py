"""Passes over the whole table in one snapshot each: what lacks its normal form is written, until nothing does."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection, IsolationLevel

from lockgate.engine import sqlerrors
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.engine.retry import Policy, lost_connection, retrying
from lockgate.errors import Interrupted
from lockgate.fitting.definition import Fitting
from lockgate.fitting.rows import Change, Counts, quarantined, sort, values
from lockgate.fitting.writing import write
from lockgate.ledger import normalisations
from lockgate.ledger.normalisations import Normalisation
from lockgate.mapping.manners import behave
from lockgate.script.running import patiently

_AT_ONCE = 5_000  # rows
_PATIENCE = Policy(retries=8, base=0.1, cap=2.0)
Page = list[Sequence[Any]]


@dataclass(slots=True)
class Pass:
    """What one pass found.

    :param written: values that it wrote; ``refused`` rows the table does not take.
    :param cleared: values that had no normal form and are NULL now, by column and reason.
    """

    number: int
    counts: Counts = field(default_factory=Counts)
    written: int = 0
    refused: int = 0
    cleared: Counter[str] = field(default_factory=Counter)

    @property
    def found(self) -> int:
        """Rows that lacked a normal form and were not refused."""
        return self.counts.lacking - self.refused

    def facts(self) -> dict[str, Any]:
        """As JSON values."""
        return {"pass": self.number, "lacking": self.counts.lacking, "written": self.written, "refused": self.refused}


def query(fitting: Fitting) -> str:
    """What a pass reads: of each row its table, its key, its place, and its values."""
    key = ", ".join(f"t.{column.sql}::text" for column in fitting.key)
    return f"SELECT t.tableoid::bigint, {key}, t.ctid::text, {values(fitting, 't')} FROM {fitting.table.sql} AS t"


@contextmanager
def pages(conn: Connection[Any], what: str) -> Iterator[Iterator[Page]]:
    """All rows of a query as of one snapshot, some at a time."""
    conn.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with conn.transaction():
            # It idles while rows are written over another connection.
            conn.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            conn.execute(f"DECLARE lockgate_rows NO SCROLL CURSOR FOR {what}".encode())
            fetch = f"FETCH {_AT_ONCE} FROM lockgate_rows".encode()
            yield iter(lambda: conn.execute(fetch).fetchall(), [])
    finally:
        conn.isolation_level = None


def look(conn: Connection[Any], fitting: Fitting, goes_on: Callable[[], None] = lambda: None) -> Counts:
    """Count in one snapshot, and change nothing."""
    counts = Counts()
    with pages(conn, query(fitting)) as found:
        for page in found:
            goes_on()
            sort(fitting, (row[len(fitting.key) + 1 :] for row in page), counts)
    return counts


@dataclass(slots=True)
class Passes:
    """The passes of one step."""

    ctx: StepContext
    fitting: Fitting
    of: Normalisation
    where: str

    def one(self, number: int) -> Pass:
        """Look at all rows, write what lacks its normal form, and renew the quarantine; again if a connection is lost.

        :raises Interrupted: if the run is told to stop.
        """
        work = partial(self._once, number)
        try:
            done = retrying(work, policy=_PATIENCE, clock=self.ctx.clock, may_retry=lost_connection)
        except psycopg.Error as error:
            what = f"{self.fitting.table.label} cannot be normalised"
            raise sqlerrors.explain(error, self.where, what) from error
        fault("normalise.pass")
        return done

    def _once(self, number: int) -> Pass:
        done = Pass(number)
        with self.ctx.sessions.open("normalise") as reader, self.ctx.sessions.open("normalise") as writer:
            patiently(self.ctx, writer, partial(normalisations.release, writer, self.of, "rejected"))
            with pages(reader, query(self.fitting)) as found:
                for page in found:
                    self._permitted()
                    started = self.ctx.clock.monotonic()
                    if self._page(writer, page, done):
                        self.ctx.health.after_chunk(len(page), self.ctx.clock.monotonic() - started, self.ctx.stop)
                    fault("normalise.written")
            self._keep_cleared(reader, writer, done)
        return done

    def _keep_cleared(self, reader: Connection[Any], writer: Connection[Any], done: Pass) -> None:
        """Put what was cleared into quarantine, from what was kept for the undo: it stands nowhere else any more."""
        own = {
            part.column.number: number for number, part in enumerate(self.fitting.parts) if part.clears and part.itself
        }
        if not own:
            return
        key = ", ".join(f"k{n}" for n in range(1, len(self.fitting.key) + 1))
        texts = ", ".join(f"k{n}::text" for n in range(1, len(self.fitting.key) + 1))
        last = (
            f"SELECT number, {texts}, old FROM (SELECT DISTINCT ON ({key}, number) * FROM {self.of.kept} "
            f"WHERE number IN ({', '.join(map(str, own))}) ORDER BY {key}, number, seq DESC) AS l WHERE new IS NULL"
        )
        with pages(reader, last) as found:
            for page in found:
                kept = []
                for number, *identity, value in page:
                    _, reason = self.fitting.parts[own[number]].wanted(value, value)
                    kept.append(quarantined(self.fitting, own[number], identity, value, reason))
                    done.cleared[kept[-1][0]] += 1
                patiently(self.ctx, writer, partial(normalisations.keep, writer, self.of, kept))

    def _page(self, conn: Connection[Any], page: Page, done: Pass) -> bool:
        """Write what a page lacks; whether anything was to be written or kept."""
        fitting, width = self.fitting, len(self.fitting.key)
        unfit: list[tuple[str, str, str]] = []

        def keep(row: int, part: int, value: str, reason: str) -> None:
            of = fitting.parts[part]
            if not (of.clears and of.itself):  # else it is kept with all that was cleared
                unfit.append(quarantined(fitting, part, page[row][1 : width + 1], value, reason))

        changes = sort(fitting, (row[width + 1 :] for row in page), done.counts, keep)
        if not changes and not unfit:
            return False

        def work() -> tuple[int, int]:
            refused = self._refusals(page)
            behave(conn, "")
            written = sum(
                write(conn, fitting, self.of, leaf, part, refused.append) for leaf, part in self._by_leaf(page, changes)
            )
            kept = [*unfit, *refused.kept]
            if kept:
                normalisations.keep(conn, self.of, kept)
            return written, len(refused.kept)

        written, refused = patiently(self.ctx, conn, work)
        done.written += written
        done.refused += refused
        return True

    def _by_leaf(self, page: Page, changes: Sequence[Change]) -> Iterator[tuple[str, list[Change]]]:
        names = {leaf.oid: leaf.sql for leaf in self.fitting.table.leaves}
        found: dict[int, list[Change]] = defaultdict(list)
        for change in changes:
            found[page[change.row][0]].append(change)
        # A partition that came meanwhile is there for the next run: its rows are lacking until then.
        return ((names[oid], part) for oid, part in found.items() if oid in names)

    def _refusals(self, page: Page) -> _Refusals:
        return _Refusals(self.fitting, page)

    def _permitted(self) -> None:
        if not self.ctx.health.permit(self.ctx.stop):
            raise Interrupted("Stopped between two batches", where=self.where, hint="`lockgate apply` goes on there.")


@dataclass(slots=True)
class _Refusals:
    """The rows of a page that the table does not take, for quarantine."""

    fitting: Fitting
    page: Page
    kept: list[tuple[str, str, str]] = field(default_factory=list)

    def append(self, change: Change, error: psycopg.Error) -> None:
        """Note one. The server's message stays away: that of a trigger may tell the value."""
        constraint = error.diag.constraint_name
        reason = f"refused by {constraint}" if constraint else f"refused by the table ({error.sqlstate})"
        columns = self.fitting.parts
        changed = [n for n, part in enumerate(columns) if change.wanted[n] != change.held[2 * n + 1]]
        names = ", ".join(columns[n].column.name for n in changed)
        kept = json.dumps({columns[n].source.name: change.held[2 * n] for n in changed}, ensure_ascii=False)
        key = self.page[change.row][1 : len(self.fitting.key) + 1]
        self.kept.append((f"{names}: {reason}", self.fitting.place_of(key), kept))
