"""When a target's sync is an alarm, and what is then to be done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockgate.mapping.status import SyncStatus
from lockgate.plan.models import Settings
from lockgate.status.sync import alarm_of

FINE = SyncStatus(
    target_id=1,
    target="core.t",
    mappings=("m",),
    state="live",
    reason=None,
    trouble=None,
    pending_rows=3,
    oldest_change_age_seconds=0.2,
    log_bytes=1000,
    log_cap=10_000,
    poison=0,
    conflicts=0,
    recheck=0,
    silent_seconds=0.5,
)


def alarm(**changes: object) -> str | None:
    found = alarm_of(replace(FINE, **changes), Settings())  # type: ignore[arg-type]
    return found[0] if found else None


def test_all_is_well() -> None:
    assert alarm() is None
    assert alarm(state="unsynced", silent_seconds=1000.0) is None
    assert alarm(silent_seconds=19.0) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"silent_seconds": 21.0}, "nobody applies its changes for 21 s; 3 wait"),
        ({"state": "off", "reason": "the log is full"}, "it is not kept in step: the log is full"),
        ({"oldest_change_age_seconds": 301.0}, "its oldest change has waited for 301 s (alarm at 300 s)"),
        ({"log_bytes": 8001}, "its change log takes 8001 bytes of the 10000 that it may"),
        ({"trouble": "no table x"}, "its changes cannot be applied: no table x"),
        ({"poison": 2}, "the table refuses 2 keys"),
    ],
)
def test_alarms(changes: dict[str, object], said: str) -> None:
    assert alarm(**changes) == said
