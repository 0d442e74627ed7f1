"""The status in words, for `status` and `watch`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.cli import amounts, context
from lockgate.cli.output import columns

if TYPE_CHECKING:
    from lockgate.status import Status
    from lockgate.status.model import Chunks, Phase, Standing, Sync

Styled = tuple[str, str | None]
_STYLES = {
    "done": "good",
    "failed": "bad",
    "running": "title",
    "checking": "title",
    "undoing": "warn",
    "pending": "dim",
}
# How a standing check stands -> in words, and their style.
STANDING = {
    "alert": ("is an ALERT: it fails", "bad"),
    "fails": ("fails", "warn"),
    "holds": ("holds", "good"),
    "unknown": ("could not be made", "warn"),
    "idle": ("is not to hold now", "dim"),
}


@contextmanager
def looking(plan: Path | None, database: str | None) -> Iterator[Callable[[], Status]]:
    """A function that reads the status, over one connection."""
    from lockgate.engine.clock import SystemClock
    from lockgate.status import collect

    loaded = context.load(plan) if plan or context.has_plan() else None
    clock = SystemClock()
    sessions = context.sessions(database, loaded.plan.settings if loaded else None)
    with sessions.open("status", plan_sql=True) as conn:
        name = loaded.plan.plan if loaded else context.plan_name(plan, conn)
        yield lambda: collect(conn, name, sessions, clock, loaded)


def as_json(status: Status) -> dict[str, Any]:
    """The status for programs."""
    return {
        **asdict(status),
        "phases_done": status.done,
        "phases_planned": len(status.phases),
        "alarms": list(status.alarms),
    }


def lines(status: Status) -> Iterator[Styled]:
    """The status for people: lines, each with a style."""
    yield (
        f"Plan {status.plan} in database {status.database}: {status.done} of {len(status.phases)} phases done",
        "title",
    )
    if status.copied:
        yield f"ALARM: {status.copied}", "bad"
        yield f"  Do: {status.copied_release}", None
    for phase in status.phases:
        yield from _phase(phase)
    yield "", None
    yield _runner(status), None
    asked = _asked(status)
    if asked:
        yield asked, None
    for sync in status.sync:
        yield _sync(sync), None
    for held in status.holds:
        since = f"{held.held_at:%Y-%m-%d %H:%M:%S} UTC"
        yield f"Legal hold {held.number}: {held.table}, by {held.held_by} since {since}: {held.because}", "warn"
    for standing in status.standing:
        yield _standing(standing)
    for wait in status.waiting:
        yield f"Waiting: {wait.reason}", "warn"
        yield f"  Do: {wait.release}", None
    for sync in status.sync:
        if sync.alarm:
            yield f"ALARM: {sync.target}: {sync.alarm}", "bad"
            yield f"  Do: {sync.release}", None
    if status.head:
        yield f"Ledger: {amounts.size(status.ledger_bytes)}, chain head {status.head[:24]}...", "dim"
    else:
        yield "Ledger: none yet; `lockgate apply` makes it", "dim"


def _phase(phase: Phase) -> Iterator[Styled]:
    title = f"  {phase.title}" if phase.title else ""
    yield f"  {phase.state:<9} {phase.name}{title}", _STYLES.get(phase.state)
    if phase.state in {"done", "pending", "undone"}:
        return
    rows = [(step.state, step.name, step.kind) for step in phase.steps]
    for line, step in zip(columns(rows, indent="              "), phase.steps, strict=True):
        yield line, _STYLES.get(step.state)
        if step.chunks and step.state != "done":
            yield f"                {_chunks(step.chunks)}", None


def _chunks(chunks: Chunks) -> str:
    text = f"chunk {amounts.count(chunks.done)} of {amounts.count(chunks.total)}"
    text += f", {amounts.count(chunks.rows_read)} rows read"
    if chunks.rows_per_second is not None:
        text += f", {amounts.count(chunks.rows_per_second)} rows/s"
    if chunks.eta_seconds is not None:
        text += f", about {amounts.duration(chunks.eta_seconds)} left"
    return text


def _runner(status: Status) -> str:
    lease = status.lease
    if lease is None:
        return "Runner: none"
    who = f"{lease.holder} on {lease.host}, process {lease.pid}"
    if lease.live:
        return f"Runner: {who}, for {amounts.duration(lease.age_seconds)}"
    return f"Runner: none; the last was {who}, not heard of for {amounts.duration(lease.silent_seconds)}"


def _asked(status: Status) -> str:
    control = status.control
    parts = [
        "paused" if control.paused else "",
        f"{control.workers} workers" if control.workers else "",
        f"{control.chunk_rows} rows a chunk" if control.chunk_rows else "",
    ]
    asked = ", ".join(part for part in parts if part)
    return f"Asked by {control.updated_by}: {asked}" if asked else ""


def _standing(standing: Standing) -> Styled:
    words, style = STANDING[standing.state]
    text = f"Standing check {standing.check} {words}"
    if standing.failing_since:
        text += f" since {standing.failing_since:%Y-%m-%d %H:%M:%S} UTC"
    if standing.at and standing.state != "idle":
        text += f", last made {standing.at:%Y-%m-%d %H:%M:%S} UTC: {standing.found}"
    return text, style


def _sync(sync: Sync) -> str:
    from lockgate.mapping.status import AT_REST

    if sync.state in AT_REST:
        return f"Sync: {sync.target}: {AT_REST[sync.state]}"
    text = f"Sync: {sync.target} is {sync.state}, {amounts.count(sync.pending_rows)} changes wait"
    if sync.pending_rows:
        text += f", the oldest for {amounts.duration(sync.lag_seconds)}"
    if sync.log_bytes:
        text += f"; log {amounts.size(sync.log_bytes)} of {amounts.size(sync.log_cap)}"
    if sync.conflicts:
        text += f"; {amounts.count(sync.conflicts)} keys written in both models (lockgate.conflicts)"
    if sync.recheck:
        text += f"; {amounts.count(sync.recheck)} keys to look at again"
    if sync.recheck_waits_for:
        text += f" after {sync.recheck_waits_for}"
    return text
