"""What `sync` and `work` have in common: they run until they are told to stop, and say how it goes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli import amounts, context
from lockgate.cli.interrupt import stop_on_signal
from lockgate.cli.output import Output
from lockgate.cli.progress import Shown, lines

if TYPE_CHECKING:
    from lockgate.engine.clock import Clock
    from lockgate.engine.session import Sessions

Serve = Callable[["Sessions", str, "Clock", threading.Event, Callable[[str], None]], None]


def run(
    output: Output, plan: Path | None, database: str | None, every: float, serve: Serve, verb: str, after: str
) -> None:
    """Serve a plan until SIGTERM or Ctrl-C.

    :param every: seconds between two lines that say how far the new tables are behind.
    :param after: what is still done after the signal.
    :raises ConnectionFailed: when the database cannot be used at the start; later it is waited for.
    """
    from lockgate.engine.clock import SystemClock
    from lockgate.ledger import require_home

    loaded = context.load(plan) if plan or context.has_plan() else None
    sessions = context.sessions(database, loaded.plan.settings if loaded else None)
    sessions.preflight()
    with sessions.open("service") as conn:
        require_home(conn)
        name = loaded.plan.plan if loaded else context.plan_name(plan, conn)
    clock = SystemClock()
    shown = lines(output, clock)
    shown.event(f"{verb} plan {name}, until Ctrl-C or SIGTERM")
    with stop_on_signal(after) as stop:
        teller = threading.Thread(target=_tell, args=(sessions, name, clock, stop, every, shown), daemon=True)
        teller.start()
        try:
            serve(sessions, name, clock, stop, shown.event)
        finally:
            stop.set()
            teller.join()
    shown.event("stopped")


def _tell(sessions: Sessions, plan: str, clock: Clock, stop: threading.Event, every: float, shown: Shown) -> None:
    """Say now and then how far each target is; a database that is away is the service's business."""
    import psycopg

    from lockgate.errors import LockgateError
    from lockgate.status.sync import targets

    while not clock.wait(stop, every):
        try:
            with sessions.open("service") as conn:
                found = targets(conn, plan, sessions.settings)
        except (psycopg.Error, LockgateError) as error:
            shown.event(f"cannot look: {str(error).splitlines()[0]}")
            continue
        for target in found:
            behind = f", {amounts.duration(target.lag_seconds)} behind" if target.pending_rows else ""
            alarm = f"; ALARM: {target.alarm}" if target.alarm else ""
            shown.event(
                f"{target.target}: {target.state}, {amounts.count(target.pending_rows)} changes wait{behind}{alarm}"
            )
