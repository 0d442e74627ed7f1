"""What gates that ask for the use of tables share: the windows of the tables, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lockgate.engine import replicas
from lockgate.engine.evidence import Evidence
from lockgate.gates.base import GateContext, GateResult, Refusal
from lockgate.plan.models import format_duration
from lockgate.usage import samples
from lockgate.usage.queries import load
from lockgate.usage.samples import PRIMARY
from lockgate.usage.tables import Table, matching
from lockgate.usage.window import Hit, Window, judge

_SHOWN = 5
_TRUNCATE = "TRUNCATE: the server does not count it"


@dataclass(frozen=True, slots=True)
class Watched:
    """What the samples tell of the tables that a gate names.

    :param empty: patterns that name no table.
    :param windows: by the table's name; on a replica, with that one's name.
    :param unsampled: tables of which there is no sample yet, like those.
    :param unreached: replicas that could not be asked, with why.
    """

    now: datetime
    needed: timedelta
    tables: tuple[Table, ...]
    windows: dict[str, Window]
    empty: tuple[str, ...]
    unsampled: tuple[str, ...]
    uncounted: tuple[str, ...]
    unreached: dict[str, str]

    @property
    def hits(self) -> list[tuple[str, Hit]]:
        """Each use within the time, with its table: older samples than the time needs were not read."""
        return [(name, hit) for name, window in self.windows.items() for hit in window.hits]

    @property
    def ready_at(self) -> datetime:
        """When the time is over for all of them, if nobody uses one until then."""
        return max((window.since for window in self.windows.values()), default=self.now) + self.needed


def watch(
    ctx: GateContext,
    patterns: Sequence[str],
    needed: timedelta,
    counted: Sequence[str],
    nodes: Sequence[str] = (),
) -> Watched:
    """Compare the samples of the tables with each other and with what the servers have counted until now.

    :param nodes: replicas that are to be asked, too.
    """
    now, plan = ctx.clock.of(ctx.conn), ctx.loaded.plan.plan
    found, empty = matching(ctx.conn, patterns)
    asked = [table for table in found if table.counted]
    if not ctx.ledger:  # so there are no samples
        unsampled = [table.label for table in asked]
        return Watched(now, needed, tuple(found), {}, tuple(empty), tuple(unsampled), (), {})
    present = samples.read(ctx.conn, plan, [table.oid for table in asked], now)
    unreached = {}
    for node in dict.fromkeys(nodes):
        there = replicas.counted(node, ctx.conn, plan, asked, ctx.clock)
        if isinstance(there, str):
            unreached[node] = there
        else:
            present += there
    windows: dict[str, Window] = {}
    unsampled = []
    for sample in present:
        name = sample.label if sample.node == PRIMARY else f"{sample.label} on {sample.node}"
        kept = samples.kept(ctx.conn, plan, sample.schema_name, sample.table_name, now - needed, sample.node)
        if kept:
            windows[name] = judge([*kept, sample], counted, now - needed)
        else:
            unsampled.append(name)
    return Watched(
        now,
        needed,
        tuple(found),
        windows,
        tuple(empty),
        tuple(unsampled),
        tuple(table.label for table in found if not table.counted),
        unreached,
    )


def has_passed(watched: Watched) -> bool:
    """Whether nobody used the tables for the whole time, as far as everybody who was to be asked tells."""
    return not watched.hits and not watched.unreached and watched.ready_at <= watched.now


def unknown(watched: Watched, folder: str) -> GateResult | None:
    """The refusal where there is nothing to compare; None where there is."""
    if watched.empty:
        names = ", ".join(watched.empty)
        return GateResult(
            False, f"there is no table {names}", Refusal.REFUSED, hint="Correct the name, or leave it out."
        )
    if watched.unsampled:
        return GateResult(
            False,
            f"there is no sample yet of {listed(watched.unsampled)}",
            Refusal.REFUSED,
            hint=f"Run `lockgate sample {folder}` now, and from time to time: the time counts from the first one on.",
        )
    return None


def uncounted(watched: Watched, what: str) -> list[str]:
    """What the server's counters do not tell.

    :param what: is asked for: ``use``, ``writes``.
    """
    unread = [f"replica {node}: {why}" for node, why in watched.unreached.items()]
    return [_TRUNCATE, *unread, *(f"foreign table {name}: nobody counts its {what} here" for name in watched.uncounted)]


def own_words(watched: Watched) -> str:
    """What was subtracted, because Lockgate did it; to be put behind a sentence."""
    told = [f"{name}: {window.own_words}" for name, window in watched.windows.items() if window.own_words]
    return f"; Lockgate's own, which does not count: {listed(told)}" if told else ""


def hit_words(name: str, hit: Hit) -> str:
    """One use, for people."""
    last = f", the last at {at(hit.last_scan)}" if hit.last_scan else ""
    return f"{name}: {hit.words} between {at(hit.after)} and {at(hit.before)}{last}"


def waiting(watched: Watched, what: str, evidence: tuple[Evidence, ...]) -> GateResult:
    """The refusal of a gate that waits for nothing but time."""
    why = "".join(
        f"; it counts anew for {name} since {at(restart.at)}: {restart.why}"
        for name, window in watched.windows.items()
        for restart in window.restarts[-1:]
        if restart.at == window.since
    )
    late = [name for name, window in watched.windows.items() if window.since + watched.needed > watched.now]
    if len(late) < len(watched.windows):
        why = f"; the time is over for all but {listed(late)}{why}"
    return GateResult(
        False,
        f"{what} for {format_duration(watched.needed)} cannot be told before {at(watched.ready_at)}{why}",
        Refusal.TIME,
        hint=f"Run `lockgate apply` again after {at(watched.ready_at)}.",
        ready_at=watched.ready_at,
        evidence=evidence,
    )


def evidence(watched: Watched, kind: str, passed: bool, not_looked_at: Sequence[str]) -> tuple[Evidence, ...]:
    """What was found of each table."""
    return tuple(
        Evidence(f"{kind}:{name}", load("counters.of_tables").decode(), _facts(watched, window, passed, not_looked_at))
        for name, window in watched.windows.items()
    )


def _facts(watched: Watched, window: Window, passed: bool, not_looked_at: Sequence[str]) -> dict[str, Any]:
    return {
        "since": window.since,
        "now": watched.now,
        "needed_seconds": watched.needed.total_seconds(),
        "hits": [
            {"after": hit.after, "before": hit.before, **hit.counts, "last_scan": hit.last_scan} for hit in window.hits
        ],
        "own": window.own,
        "restarts": [{"at": restart.at, "why": restart.why} for restart in window.restarts],
        "not_looked_at": list(not_looked_at),
        "passed": passed,
    }


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def at(moment: datetime) -> str:
    """A time for people."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
