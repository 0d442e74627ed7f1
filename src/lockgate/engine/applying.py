"""The service that applies: one thread, all targets of a plan, for minutes inside `apply` or weeks as `lockgate sync`.

One service at a time works a target: it holds the target's epoch. Another one stands by while a runner of the plan is
alive, whose own service may be slow, and until nothing was applied for a while, so that a killed service is followed by
the next without anybody's help.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.engine import sqlerrors
from lockgate.engine.clock import Clock
from lockgate.engine.faults import fault
from lockgate.engine.retry import Policy, lost_conflict, lost_connection, passing
from lockgate.engine.session import Sessions
from lockgate.errors import ConnectionFailed, LeaseLost, LedgerError, LockgateError
from lockgate.ledger import home, runs
from lockgate.mapping import group, install, upkeep
from lockgate.mapping.applier import Applier
from lockgate.mapping.batch import Batch

Told = Callable[[str], None]

# Seconds between two looks, and under a limit of latency: each batch has a price, however few changes it finds.
_POLL, _CALM = 0.05, 0.25
# After so many changes there will be as many again: the next batch follows at once.
_MANY = 1_000
_HEARTBEAT = 1.0
_STANDBY = 5.0
_FOLLOWED = "state IN ('backfill', 'live')"
_RESTART = Policy(retries=1_000_000, base=0.2, cap=10.0)


@dataclass(slots=True)
class _Worked:
    """A target that this service works."""

    target_id: int
    name: str
    conn: Connection[Any]
    applier: Applier
    last: float = 0.0


@dataclass(slots=True)
class _Trouble:
    """Why a target is left alone for a while.

    :param until: by the monotonic clock.
    """

    said: str
    times: int
    until: float


@dataclass(slots=True)
class Service:
    """Applies the changes of all live targets of a plan. One that fails is tried again, and holds up no other.

    :param takes_over: whether it takes targets from a service that is alive (a runner does, under its lease).
    :param told: gets a line for people when something happens.
    """

    sessions: Sessions
    plan: str
    clock: Clock
    stop: threading.Event
    takes_over: bool
    told: Told
    _worked: dict[int, _Worked] = field(default_factory=dict)
    _troubled: dict[int, _Trouble] = field(default_factory=dict)
    _conn: Connection[Any] | None = None
    _tidied: float = 0.0

    def run(self) -> None:
        """Work until ``stop`` is set; start again after every failure.

        :raises LedgerError: if another database answers, with a copy of the ledger.
        """
        failures = 0
        try:
            while not self.stop.is_set():
                try:
                    busy = self._cycle()
                    failures = 0
                    if not busy:
                        self.clock.wait(self.stop, _CALM if self.sessions.settings.max_latency else _POLL)
                except (psycopg.Error, ConnectionFailed) as error:
                    failures += 1
                    self._close()
                    if isinstance(error, psycopg.Error) and not passing(error):
                        self.told(f"sync of {self.plan}: {str(error).splitlines()[0]}; it is tried again")
                    self.clock.wait(self.stop, _RESTART.pause(min(failures, 8)))
        finally:
            self._close()

    # --- one round ------------------------------------------------------------------------------------------

    def _cycle(self) -> bool:
        conn = self._connection()
        self._look_for_targets(conn)
        busy = False
        for worked in list(self._worked.values()):
            busy = self._apply(worked) or busy
        now = self.clock.monotonic()
        if now - self._tidied >= _HEARTBEAT:
            self._tidied = now
            for worked in list(self._worked.values()):
                with self._isolated(worked.target_id, worked.name):
                    for log in upkeep.logs_of(conn, worked.applier.group):
                        upkeep.tidy(conn, log)
        return busy

    def _look_for_targets(self, conn: Connection[Any]) -> None:
        rows = conn.execute(
            "SELECT id, name, epoch, "
            "coalesce(last_applied_at > pg_catalog.clock_timestamp() - %s * interval '1 second', false) "
            f"FROM lockgate.sync_targets WHERE plan = %s AND {_FOLLOWED} ORDER BY id".encode(),
            (_STANDBY, self.plan),
        ).fetchall()
        epochs = {int(target_id): int(epoch) for target_id, _, epoch, _ in rows}
        for target_id, worked in list(self._worked.items()):
            if epochs.get(target_id) != worked.applier.epoch:
                self._leave(target_id)
        waiting = [(int(row[0]), str(row[1])) for row in rows if row[0] not in self._worked]
        if not self.takes_over:
            alive = {int(row[0]) for row in rows if row[3]}
            waiting = [each for each in waiting if each[0] not in alive]
            # However slow it is: two that take targets from each other would load them all the time, and apply nothing.
            if waiting and runs.under_way(conn, self.plan):
                return
        for target_id, name in waiting:
            if not self._rests(target_id):
                with self._isolated(target_id, name):
                    self._take(conn, target_id, name)

    def _take(self, conn: Connection[Any], target_id: int, name: str) -> None:
        row = conn.execute(
            "UPDATE lockgate.sync_targets SET epoch = epoch + 1, trouble = CASE WHEN %s THEN trouble END "
            f"WHERE id = %s AND {_FOLLOWED} RETURNING epoch, state".encode(),
            (target_id in self._troubled, target_id),
        ).fetchone()
        if row is None:
            return
        fault("sync.taken")
        own = self.sessions.open("applier")
        try:
            loaded = group.load(own, target_id)
            # While it is filled, its step is at the logs.
            if row[1] == "live" and group.unfollowed(loaded):
                install.follow(own, loaded, self.sessions.settings.log_cap)
                own.close()  # and taken anew, with its new logs
                return
        except LedgerError:  # taken back in this very moment
            own.close()
            return
        except BaseException:
            own.close()
            raise
        self._worked[target_id] = _Worked(target_id, name, own, Applier(own, loaded, int(row[0])))

    def _apply(self, worked: _Worked) -> bool:
        now = self.clock.monotonic()
        with self._isolated(worked.target_id, worked.name):
            if now - worked.last < _HEARTBEAT and worked.applier.idle():
                return False
            reason = upkeep.switched_off(worked.conn, worked.applier.group)
            if reason:
                self._restore(worked, reason)
            batch = worked.applier.run()
            worked.last = now
            busy = self._after(worked, batch)
            self._well(worked)
            return busy
        return True

    # --- what fails -----------------------------------------------------------------------------------------

    @contextmanager
    def _isolated(self, target_id: int, name: str) -> Iterator[None]:
        """Work at one target: what fails there is said, and tried again later, while the others go on."""
        try:
            yield
        except LeaseLost:
            self._leave(target_id)
        except (psycopg.Error, LockgateError) as error:
            if lost_connection(error):
                raise
            if not lost_conflict(error):
                self._trouble(target_id, name, error)

    def _trouble(self, target_id: int, name: str, error: psycopg.Error | LockgateError) -> None:
        self._leave(target_id)  # it is loaded anew when its turn comes: perhaps it fits no more
        said = sqlerrors.message(error)
        before = self._troubled.get(target_id)
        times = before.times + 1 if before else 1
        until = self.clock.monotonic() + _RESTART.pause(min(times, 8))
        self._troubled[target_id] = _Trouble(said, times, until)
        if before is None or before.said != said:
            self.told(f"{name}: its changes cannot be applied: {said}; it is tried again")
        self._note(target_id, said)

    def _well(self, worked: _Worked) -> None:
        if self._troubled.pop(worked.target_id, None):
            self._note(worked.target_id, None)

    def _note(self, target_id: int, trouble: str | None) -> None:
        with contextlib.suppress(psycopg.errors.LockNotAvailable):
            self._connection().execute(
                "UPDATE lockgate.sync_targets SET trouble = %s WHERE id = %s", (trouble, target_id)
            )

    def _rests(self, target_id: int) -> bool:
        trouble = self._troubled.get(target_id)
        return trouble is not None and self.clock.monotonic() < trouble.until

    def _after(self, worked: _Worked, batch: Batch) -> bool:
        # While chunks are open most rows are still missing; the comparison waits until they are done.
        due = batch.repair and not batch.backfill
        if due:
            self._repair(worked)
            self._leave(worked.target_id)  # perhaps another table has taken a name: everything is looked up anew
        return batch.pending or due or batch.changes >= _MANY

    # --- what no log can tell -------------------------------------------------------------------------------

    def _restore(self, worked: _Worked, reason: str) -> None:
        """A log was switched off: nothing followed since. Switch it on again; its readers compare everything."""
        self.told(f"sync of {worked.name} was switched off ({reason}); it starts again with a full comparison")
        self._reinstall(worked)

    def _repair(self, worked: _Worked) -> None:
        self._reinstall(worked)
        reason = upkeep.reason(worked.conn, worked.target_id) or "something happened that no log tells"
        marked = upkeep.repair(worked.conn, worked.applier.group)
        fault("sync.repaired")
        self.told(f"{worked.name}: {reason}; all was compared, {marked} keys differ")

    def _reinstall(self, worked: _Worked) -> None:
        cap = self.sessions.settings.log_cap
        for log in upkeep.logs_of(worked.conn, worked.applier.group):
            with worked.conn.transaction():
                upkeep.reinstall(worked.conn, cap, log)
            fault("sync.reinstalled")

    # --- connections ----------------------------------------------------------------------------------------

    def _connection(self) -> Connection[Any]:
        if self._conn is None or self._conn.closed:
            self._conn = self.sessions.open("sync")
            # Whoever answers after a lost connection may be a database that was restored under the same address.
            home.refuse_copied(self._conn)
        return self._conn

    def _leave(self, target_id: int) -> None:
        worked = self._worked.pop(target_id, None)
        if worked is not None:
            worked.conn.close()

    def _close(self) -> None:
        for target_id in list(self._worked):
            self._leave(target_id)
        if self._conn is not None:
            self._conn.close()
        self._conn = None


def serve(sessions: Sessions, plan: str, clock: Clock, stop: threading.Event, on_event: Told) -> None:
    """`lockgate sync`: apply until told to stop; stand by while a runner or another service is at it.

    A mapping that no longer fits the database is said, in `status` as well, and tried again.
    """
    Service(sessions, plan, clock, stop, takes_over=False, told=on_event).run()


@contextmanager
def applying(sessions: Sessions, plan: str, clock: Clock, on_event: Told) -> Iterator[None]:
    """Apply in a thread for as long as the block runs (inside a runner, under its lease).

    :raises Exception: at the end, why the service gave up, if it did and nothing else failed.
    """
    stop = threading.Event()
    failed: list[Exception] = []

    def work() -> None:
        try:
            Service(sessions, plan, clock, stop, takes_over=True, told=on_event).run()
        except Exception as error:  # whatever it is, it must not pass unseen: nobody applies from here on
            failed.append(error)
            on_event(f"sync stopped: {error.what if isinstance(error, LockgateError) else repr(error)}")

    thread = threading.Thread(target=work, name="lockgate-applying", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failed:
        raise failed[0]
