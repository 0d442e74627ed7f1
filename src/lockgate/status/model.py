"""The status as data; `lockgate status` shows it, in JSON as it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Chunks:
    """How far a chunked step is.

    :param rows_per_second: over the last half minute; None when nothing was done in it.
    :param eta_seconds: until the last chunk at that speed.
    """

    done: int
    total: int
    rows_read: int
    rows_written: int
    rows_per_second: float | None
    eta_seconds: float | None


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the plan; ``pending`` where the ledger does not know it."""

    name: str
    kind: str
    state: str
    summary: str | None
    chunks: Chunks | None


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase of the plan."""

    name: str
    title: str | None
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Lease:
    """Who works on this database now, or was the last to.

    :param live: whether the holder was heard of within the lease's time.
    """

    holder: str
    host: str
    pid: int
    live: bool
    age_seconds: float
    silent_seconds: float


@dataclass(frozen=True, slots=True)
class Sync:
    """A target that is kept in step, or should be.

    :param lag_seconds: age of the oldest change that is not applied; 0 without any.
    :param silent_seconds: since somebody last looked for changes, or since the target was made; whoever applies
        looks every second.
    :param conflicts: keys that both models wrote differently.
    :param recheck: keys to look at again, and ``recheck_waits_for`` the transaction that must end before.
    :param alarm: why somebody should look, and ``release`` what to do; None when all is well.
    """

    target: str
    mappings: tuple[str, ...]
    state: str
    reason: str | None
    pending_rows: int
    lag_seconds: float
    log_bytes: int
    log_cap: int
    poison: int
    conflicts: int
    recheck: int
    recheck_waits_for: str | None
    silent_seconds: float
    alarm: str | None
    release: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """A legal hold that stands on an archived table."""

    number: int
    table: str
    because: str
    held_by: str
    held_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A standing check, as the last run of `lockgate standing` left it.

    :param state: alert, fails, holds, unknown (it could not be made) or idle (it is not to hold now).
    :param found: what it found last, and ``at`` when; None before its first run.
    :param change: by how much the value is above the one before; None where either is no number.
    """

    check: str
    state: str
    found: str | None
    at: datetime | None
    value: float | None
    change: float | None
    failing_since: datetime | None
    alert_since: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why nothing goes on, and what releases it."""

    reason: str
    release: str


@dataclass(frozen=True, slots=True)
class Control:
    """What people asked for while it runs."""

    paused: bool
    reason: str | None
    workers: int | None
    chunk_rows: int | None
    updated_by: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """All of it.

    :param head: of the ledger's chain; None without a ledger.
    :param copied: why the ledger is of no use here, and ``copied_release`` what to do; None where it is at home.
    """

    plan: str
    database: str
    phases: tuple[Phase, ...]
    lease: Lease | None
    control: Control
    sync: tuple[Sync, ...]
    waiting: tuple[Waiting, ...]
    ledger_bytes: int
    head: str | None
    copied: str | None = None
    copied_release: str | None = None
    holds: tuple[Held, ...] = ()
    standing: tuple[Standing, ...] = ()

    @property
    def done(self) -> int:
        """How many phases are done."""
        return sum(phase.state == "done" for phase in self.phases)

    @property
    def alarms(self) -> tuple[str, ...]:
        """Why somebody should look now."""
        failed = [f"phase {phase.name} failed" for phase in self.phases if phase.state == "failed"]
        foreign = [self.copied] if self.copied else []
        standing = [f"standing check {each.check}: {each.found}" for each in self.standing if each.state == "alert"]
        return (*foreign, *failed, *(f"{sync.target}: {sync.alarm}" for sync in self.sync if sync.alarm), *standing)
