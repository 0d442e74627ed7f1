"""What statements really do to a server: the locks they take, the files they write anew, the tables they scan."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import dict_row

from lockgate.effects import Mode, strongest
from lockgate.sql.split import split
from lockgate.sql.tree import quote
from lockgate.sqlfiles import load
from tests.waiting import wait_until

HERE = Path(__file__).parent
PACKAGE = __name__.rpartition(".")[0]
_WEAK = {Mode.ACCESS_SHARE, Mode.ROW_SHARE, Mode.ROW_EXCLUSIVE}


@dataclass(frozen=True, slots=True)
class Shape:
    """A statement to try.

    :param since: the first server major that has it.
    :param after: what puts the schema right again; only for a statement that cannot be rolled back.
    """

    name: str
    text: str
    since: int = 0
    after: str = ""


@dataclass(slots=True)
class Observed:
    """What was seen of a statement: see ``Effects``.

    :ivar hidden: indexes of which it cannot be seen whether they were locked.
    """

    locks: dict[str, set[Mode]] = field(default_factory=dict)
    rewrites: list[str] = field(default_factory=list)
    empties: list[str] = field(default_factory=list)
    rebuilds: list[str] = field(default_factory=list)
    scans: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Relation:
    oid: int
    schema: str
    name: str
    kind: str
    file: int | None
    of_table: int | None

    @property
    def sql(self) -> str:
        return f"{quote(self.schema)}.{quote(self.name)}"


def shapes() -> list[Shape]:
    """All statements of shapes.sql."""
    _, *parts = re.split(r"^-- name: (\w+)\n", (HERE / "shapes.sql").read_text(), flags=re.M)
    found = []
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        said = dict(re.findall(r"^-- (since|after): (.+)\n", body, flags=re.M))
        text = re.sub(r"^--.*\n", "", body, flags=re.M).strip().removesuffix(";")
        found.append(Shape(name, text, int(said.get("since", 0)), said.get("after", "")))
    return found


def prepare(dsn: str) -> None:
    """Make what the statements are run on, in an empty database."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute((HERE / "schema.sql").read_bytes())
        conn.execute("VACUUM ANALYZE")


class Observer:
    """Runs statements on a database that ``prepare`` has filled, and takes each back."""

    def __init__(self, dsn: str) -> None:
        self._watch = _connect(dsn)
        self._doer = _connect(dsn)
        self._blocker = _connect(dsn)
        self._pid = self._doer.info.backend_pid
        for setting in ("indexscan", "bitmapscan", "indexonlyscan"):  # what is small is read whole, as large things are
            self._doer.execute(sql.SQL("SET enable_{} = off").format(sql.SQL(setting)))
        self.major = self._watch.info.server_version // 10000
        self._before = self._relations()

    def close(self) -> None:
        """Close its connections."""
        for conn in (self._watch, self._doer, self._blocker):
            conn.close()

    def see(self, shape: Shape) -> Observed:
        """Run a statement, in a transaction if it can be, and take it back."""
        return self._within(shape) if split(shape.text)[0].in_transaction else self._alone(shape)

    def _within(self, shape: Shape) -> Observed:
        seen = Observed()
        before = self._before
        self._doer.execute("SELECT pg_catalog.pg_stat_force_next_flush()")  # so that only what comes now is counted
        with self._doer.transaction(force_rollback=True):
            self._doer.execute(shape.text.encode())
            self._hold(seen, before)
            scanned = self._doer.execute(load(PACKAGE, "observed.scans_within"), [list(before)]).fetchall()
            files = self._doer.execute(load(PACKAGE, "observed.files")).fetchall()
        _sort_out(seen, before, files, {row["oid"] for row in scanned})
        return seen

    def _alone(self, shape: Shape) -> Observed:
        """Run a statement that cannot be in a transaction: freely, and against somebody who holds a lock on a table.

        Whoever holds ACCESS SHARE makes it wait for ACCESS EXCLUSIVE only, and so on up: all that it ever asks for
        is seen, what it takes at the end and gives back at once too. An index cannot be locked in this way: of those
        only what is held during the waits is seen.
        """
        seen = self._freely(shape)
        tables = [relation for relation in self._before.values() if relation.kind in {"r", "p"}]
        self._against(shape, seen, sql.SQL("SELECT pg_catalog.pg_current_snapshot()"))  # which some wait for
        words = re.findall(r"\w+", shape.text)
        near = [t for t in tables if any(t.name.startswith(word) or word.startswith(t.name) for word in words)]
        far = [table for table in tables if table not in near]
        for table in self._wanted(shape, seen, near) + self._wanted(shape, seen, far):
            for mode in reversed(Mode):
                if not self._against(shape, seen, _locking([table], mode)):
                    break  # weaker ones do not hold it up either
        self._before = self._relations()
        indexes = {relation.sql for relation in self._before.values() if relation.kind in "iI"}
        seen.hidden = indexes - seen.locks.keys()
        return seen

    def _wanted(self, shape: Shape, seen: Observed, tables: list[Relation]) -> list[Relation]:
        """Those of the tables that the statement locks at all."""
        if not tables or not self._against(shape, seen, _locking(tables, Mode.ACCESS_EXCLUSIVE)):
            return []
        if len(tables) == 1:
            return tables
        half = len(tables) // 2
        return [found for part in (tables[:half], tables[half:]) for found in self._wanted(shape, seen, part)]

    def _freely(self, shape: Shape) -> Observed:
        seen = Observed()
        before = self._relations()
        counted = self._scans(before)
        self._doer.execute(shape.text.encode())
        now = self._scans(before)
        files = self._watch.execute(load(PACKAGE, "observed.files")).fetchall()
        _sort_out(seen, before, files, {oid for oid in before if now[oid] > counted[oid]})
        self._mend(shape)
        return seen

    def _against(self, shape: Shape, seen: Observed, blocking: sql.SQL | sql.Composed) -> bool:
        """Whether the statement had to wait for a transaction that has done ``blocking``; what it held goes to seen."""
        before = self._relations()
        self._blocker.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        self._blocker.execute(blocking)
        with _running(lambda: self._doer.execute(shape.text.encode())) as done:
            try:
                wait_until(lambda: done() or self._waits())
                waited = not done()
                if waited:
                    self._hold(seen, before)
            finally:
                self._blocker.execute("ROLLBACK")
        self._mend(shape)
        return waited

    def _waits(self) -> bool:
        (row,) = self._watch.execute(load(PACKAGE, "observed.waits"), [self._pid])
        return bool(row["count"])

    def _hold(self, seen: Observed, before: dict[int, Relation]) -> None:
        """Add the locks that the session has or waits for now."""
        for row in self._watch.execute(load(PACKAGE, "observed.held"), [self._pid]).fetchall():
            relation = before.get(row["oid"])
            mode = Mode[re.sub(r"(?<!^)(?=[A-Z])", "_", row["mode"].removesuffix("Lock")).upper()]
            if relation and not (relation.kind in "iIS" and mode in _WEAK):
                seen.locks[relation.sql] = strongest({*seen.locks.get(relation.sql, ()), mode})

    def _mend(self, shape: Shape) -> None:
        if shape.after:
            self._watch.execute(shape.after.encode())

    def _relations(self) -> dict[int, Relation]:
        rows = self._watch.execute(load(PACKAGE, "observed.relations")).fetchall()
        return {row["oid"]: Relation(**row) for row in rows}

    def _scans(self, oids: Iterable[int]) -> dict[int, int]:
        """The server's counts of scans. What our sessions have done is counted first."""
        for conn in (self._watch, self._blocker, self._doer):
            conn.execute("SELECT pg_catalog.pg_stat_force_next_flush()")
        rows = self._watch.execute(load(PACKAGE, "observed.scans"), [list(oids)]).fetchall()
        return {row["oid"]: row["scans"] for row in rows}


def _connect(dsn: str) -> Connection[dict[str, Any]]:
    return psycopg.connect(dsn, autocommit=True, row_factory=dict_row)


def _locking(tables: list[Relation], mode: Mode) -> sql.Composed:
    names = sql.SQL(", ").join(sql.SQL("ONLY {}").format(sql.SQL(table.sql)) for table in tables)
    return sql.SQL("LOCK TABLE {} IN {} MODE").format(names, sql.SQL(mode.value))


def _sort_out(seen: Observed, before: dict[int, Relation], files: list[dict[str, Any]], scanned: set[int]) -> None:
    """What became of relations with a new file, by its size; what is empty is not scanned."""
    known = {(row["schema"], row["name"]): row for row in files}
    now = {oid: known.get((old.schema, old.name)) for oid, old in before.items() if old.kind in "rmi"}
    new = {oid: row["size"] for oid, row in now.items() if row and row["file"] != before[oid].file}
    tables = {oid for oid in new if before[oid].kind != "i"}
    empty = {oid for oid in tables if not new[oid]}
    seen.rewrites = sorted(before[oid].sql for oid in tables - empty)
    seen.empties = sorted(before[oid].sql for oid in empty)
    indexes = [before[oid] for oid in new if before[oid].kind == "i"]
    seen.rebuilds = sorted(index.sql for index in indexes if index.of_table not in empty)
    seen.scans = sorted(before[oid].sql for oid in scanned - empty if before[oid].kind not in "iI")


@contextmanager
def _running(work: Callable[[], object]) -> Iterator[Callable[[], bool]]:
    """Do something beside; yields whether it is done, and at the end waits for it and raises what it raised."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield lambda: not thread.is_alive()
    finally:
        thread.join()
    if errors:
        raise errors[0]
