"""The ledger: its version, its chain, its lease, and what the plans left unfinished."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import Connection

from lockgate.doctor.findings import Finding, fail, ok, warn
from lockgate.errors import LedgerError
from lockgate.ledger import audit, chain, lease, phases, runs, store
from lockgate.ledger.control import get as control


def version(conn: Connection[Any]) -> Iterator[Finding]:
    """Whether the ledger fits this Lockgate; that there is none yet is no fault."""
    if not store.applied(conn):
        yield ok("ledger", "there is none yet; `lockgate apply` makes it")
        return
    try:
        found = store.require_home(conn)
    except LedgerError as error:
        yield fail("ledger", error.what, error.hint or "Look at the address.")
        return
    size = sum(store.size(conn).values())
    yield ok("ledger", f"version {found}, {size / 1024**2:.1f} MB")


def chain_is_sound(conn: Connection[Any], known_head: str | None) -> Iterator[Finding]:
    """Whether no entry was changed, removed or put in."""
    faults = audit.verify(conn, known_head)
    for fault in faults:
        yield fail("chain", fault.what, "The report cannot be trusted from there on. Who could write the ledger?")
    if not faults:
        yield ok("chain", f"the hash chain is sound up to {chain.head(conn)[:24]}...")


def lease_is_alive(conn: Connection[Any]) -> Iterator[Finding]:
    """Whether a runner died with the lease."""
    found = lease.state(conn)
    who = f"{found.holder} on {found.host}, process {found.pid}"
    if found.holder is None:
        yield ok("lease", "free: no runner is at work")
    elif found.live:
        yield ok("lease", f"held by {who}")
    else:
        silent = found.silent.total_seconds() if found.silent else 0.0
        yield warn(
            "lease",
            f"held by {who}, which has not been heard of for {silent:.0f} s",
            "If it is dead, nothing has to be done: the next `lockgate apply` takes the lease and goes on.",
        )


def unfinished(conn: Connection[Any], plan: str) -> Iterator[Finding]:
    """Phases that ended badly or were left in the middle, and a pause that somebody forgot."""
    working = lease.state(conn).live
    for row in phases.state(conn, plan).values():
        if row.state == "failed":
            yield fail(
                "phases", f"phase {row.phase} of {plan} failed", "`lockgate status` says why; then `lockgate apply`."
            )
        elif row.state in {"running", "checking", "undoing"} and not working:
            command = "rollback" if row.state == "undoing" else "apply"
            yield warn(
                "phases",
                f"phase {row.phase} of {plan} is {row.state} and no runner is at work",
                f"`lockgate {command}` goes on where it stopped.",
            )
    wish = control(conn, plan)
    if wish.paused:
        yield warn(
            "control",
            f"plan {plan} is paused by {wish.updated_by}: {wish.reason or 'no reason was given'}",
            "`lockgate resume` lets it go on.",
        )
    killed = [run for run in runs.of_plan(conn, plan) if run.ended_at is None]
    if killed and not working:
        yield ok("runs", f"{len(killed)} runs of {plan} ended without a word (killed, or their connection was lost)")
