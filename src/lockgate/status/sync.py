"""Whether the targets are kept in step, and by whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import Connection

from lockgate.engine import locks
from lockgate.engine.locks import Blocker
from lockgate.mapping.status import SyncStatus, status
from lockgate.plan.models import Settings
from lockgate.status.model import Sync

SILENT = 20.0
"""Seconds without a look for changes after which nobody applies: a service looks every second."""
NEARLY_FULL = 0.8
"""Part of the change log's cap from which on it is an alarm."""
_FOLLOWED = {"backfill", "live"}


def targets(conn: Connection[Any], plan: str, settings: Settings) -> list[Sync]:
    """Every target of the plan, with the alarm that it gives."""
    synced = status(conn, plan)
    holding = locks.holding_back(conn) if any(found.recheck for found in synced) else None
    return [_sync(found, settings, holding) for found in synced]


def _sync(found: SyncStatus, settings: Settings, holding: Blocker | None) -> Sync:
    alarm, release = alarm_of(found, settings) or (None, None)
    return Sync(
        target=found.target,
        mappings=found.mappings,
        state=found.state,
        reason=found.reason,
        pending_rows=found.pending_rows,
        lag_seconds=found.oldest_change_age_seconds or 0.0,
        log_bytes=found.log_bytes,
        log_cap=found.log_cap,
        poison=found.poison,
        conflicts=found.conflicts,
        recheck=found.recheck,
        recheck_waits_for=str(holding) if holding is not None and found.recheck else None,
        silent_seconds=found.silent_seconds,
        alarm=alarm,
        release=release,
    )


def alarm_of(found: SyncStatus, settings: Settings) -> tuple[str, str] | None:
    """Why somebody should look at a target, and what to do; the worst thing only."""
    if found.state == "off":
        return (
            f"it is not kept in step: {found.reason or 'its change log was switched off'}",
            "`lockgate sync` (or apply) starts it again with a full comparison.",
        )
    return next(_alarms(found, settings), None) if found.state in _FOLLOWED else None


def _alarms(found: SyncStatus, settings: Settings) -> Iterator[tuple[str, str]]:
    oldest = found.oldest_change_age_seconds or 0.0
    if found.trouble:
        yield (
            f"its changes cannot be applied: {found.trouble}",
            "Mend what it says; it is tried again by itself.",
        )
    limit = settings.log_age_alarm.total_seconds()
    if found.silent_seconds > SILENT:
        yield (
            f"nobody applies its changes for {found.silent_seconds:.0f} s; {found.pending_rows} wait",
            "Run `lockgate sync` as a service for as long as no apply runs.",
        )
    if oldest > limit:
        yield (
            f"its oldest change has waited for {oldest:.0f} s (alarm at {limit:g} s)",
            "Is the server overloaded, or a lock in the way? `lockgate doctor` looks.",
        )
    if found.log_cap and found.log_bytes > NEARLY_FULL * found.log_cap:
        yield (
            f"its change log takes {found.log_bytes} bytes of the {found.log_cap} that it may",
            "Beyond the cap sync is switched off. Raise log_cap in the plan's settings if the disk allows.",
        )
    if found.poison:
        yield (
            f"the table refuses {found.poison} keys",
            "SELECT key, error FROM lockgate.poison says which and why; mend the data or the mapping.",
        )
