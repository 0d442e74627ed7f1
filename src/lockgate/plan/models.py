"""The plan document as pydantic models: they are the validation and the JSON Schema.

Field descriptions are the plan reference: ``docs/plan-reference.md`` is generated from them. The kinds of
step are in ``steps``, those of gate and check in ``conditions``; all are exported here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from lockgate.plan.asking import Unused, UnusedGate, Unwritten, UnwrittenGate
from lockgate.plan.base import Strict
from lockgate.plan.conditions import (
    EXPECTATIONS,
    Approval,
    ApprovalGate,
    Check,
    CommandGate,
    Expectation,
    ExplainCheck,
    Gate,
    ObjectsCheck,
    QueryCheck,
    QueryGate,
    ReconcileCheck,
    Soak,
    SoakGate,
)
from lockgate.plan.filling import CopyStep, MapStep, PartitionStep, ReplacingStep, RewriteStep, TransformStep
from lockgate.plan.foresight import Checked, CheckedGate, Rehearsed, RehearsedGate
from lockgate.plan.hardening import ConstraintStep, DedupeStep, IndexStep
from lockgate.plan.normalising import Normalised, NormaliseStep
from lockgate.plan.objects import Counts, Objects, Ranges, Reference, Sound
from lockgate.plan.partitions import Partitions
from lockgate.plan.proofs import Backup, BackupGate, RetainedGate
from lockgate.plan.retiring import ArchiveStep, CloseStep, CutoverStep, DropStep, OldName
from lockgate.plan.standing import Alert, Standing, StandingCheck, Webhook
from lockgate.plan.steps import AnalyzeStep, MeasureStep, MigrateStep, SqlStep, Step, mappings_of
from lockgate.plan.values import (
    Duration,
    Identifier,
    PositiveDuration,
    RelationName,
    Scalar,
    SqlText,
    Timeout,
    Word,
    format_duration,
    is_query,
    parse_duration,
    split_columns,
    split_name,
)

__all__ = [
    "EXPECTATIONS",
    "Alert",
    "AnalyzeStep",
    "Approval",
    "ApprovalGate",
    "ArchiveStep",
    "Backup",
    "BackupGate",
    "Check",
    "Checked",
    "CheckedGate",
    "CloseStep",
    "CommandGate",
    "ConstraintStep",
    "CopyStep",
    "Counts",
    "CutoverStep",
    "DedupeStep",
    "DropStep",
    "Duration",
    "Expectation",
    "ExplainCheck",
    "Gate",
    "HealthQuery",
    "Identifier",
    "IndexStep",
    "MapStep",
    "MeasureStep",
    "MigrateStep",
    "Migrations",
    "NormaliseStep",
    "Normalised",
    "Objects",
    "ObjectsCheck",
    "OldName",
    "PartitionStep",
    "Partitions",
    "Phase",
    "Plan",
    "QueryCheck",
    "QueryGate",
    "Ranges",
    "ReconcileCheck",
    "Reference",
    "Rehearsed",
    "RehearsedGate",
    "ReplacingStep",
    "RetainedGate",
    "RewriteStep",
    "Scalar",
    "Settings",
    "Soak",
    "SoakGate",
    "Sound",
    "SqlStep",
    "SqlText",
    "Standing",
    "StandingCheck",
    "Step",
    "TransformStep",
    "Unused",
    "UnusedGate",
    "Unwritten",
    "UnwrittenGate",
    "Webhook",
    "format_duration",
    "is_query",
    "mappings_of",
    "parse_duration",
    "split_columns",
    "split_name",
]


class HealthQuery(Strict):
    """A query of the plan that tells whether the work may go on."""

    name: Identifier = Field(description="Name shown when it holds the work.")
    query: SqlText = Field(description="A query that yields one number.")
    at_most: float = Field(description="Go while the number is at most this; hold above.")


class Settings(Strict):
    """How the work is done. Everything here can be left out."""

    lock_timeout: Timeout = Field(
        timedelta(milliseconds=500),
        description="Longest wait for a lock; nobody queues behind Lockgate for longer than this.",
    )
    lock_retries: int = Field(30, ge=0, le=100_000, description="How often a lock is asked for again before giving up.")
    statement_timeout: Timeout | None = Field(
        None,
        description="Longest time of one statement of a chunk; a chunk that takes longer is halved and tried again.",
    )
    workers: int = Field(1, ge=1, le=64, description="Chunk workers to start with; `lockgate tune` changes it live.")
    chunk_rows: int = Field(20_000, ge=100, le=10_000_000, description="Rows of the first chunk.")
    chunk_time: PositiveDuration = Field(
        timedelta(seconds=1),
        description="Time that a chunk should take; the size of the next ones follows it.",
    )
    max_replica_lag: Duration = Field(timedelta(seconds=30), description="Hold while a replica is further behind.")
    max_waiting_sessions: int = Field(
        5, ge=0, le=100_000, description="Hold while more sessions than this wait for locks."
    )
    max_latency: PositiveDuration | None = Field(
        None,
        description="Hold while a tiny probe statement takes longer than this; unset: no latency throttle.",
    )
    log_cap: int = Field(
        4 * 1024**3,
        ge=1024**2,
        le=2**50,
        description="Bytes that a change log may take (4 GiB); beyond it sync is switched off.",
    )
    log_age_alarm: PositiveDuration = Field(
        timedelta(minutes=5), description="Alarm when the oldest unapplied change is older."
    )
    health: tuple[HealthQuery, ...] = Field((), description="Further health signals.")


class Migrations(Strict):
    """The folder of another migration tool, whose files `migrate` steps apply."""

    path: Word = Field(description="The folder, from the plan's own.")
    tool: Identifier | None = Field(
        None, description="Whose it is, such as sqlx or alembic; left out: it is told from the folder."
    )
    table: RelationName | None = Field(
        None, description="The history's table, if it is not where the tool's default is."
    )


class Phase(Strict):
    """One stage: gates before, steps, checks after, and an undo."""

    id: Identifier = Field(description="Name of the phase, unique in the plan.")
    title: str | None = Field(None, description="Shown in the report.")
    before: tuple[Gate, ...] = Field((), description="Gates: what must hold before the phase may start.")
    steps: Annotated[tuple[Step, ...], Field(min_length=1)] = Field(description="What is done, in this order.")
    after: tuple[Check, ...] = Field(
        (), description="Checks: what must hold afterwards; each mapping of the phase is reconciled in any case."
    )
    undo: tuple[SqlStep, ...] | None = Field(
        None,
        description="SQL that takes back the `sql` steps, run after the derived undo of the mappings. "
        "It also runs for a phase that was interrupted: write IF EXISTS. "
        "Migrations without a down script need it, too. "
        "An empty list says that nothing has to be done; "
        "left out, the phase cannot be rolled back if it has `sql` steps.",
    )

    @property
    def gates(self) -> tuple[Gate | RetainedGate, ...]:
        """The gates in ``before``, and for what the phase drops the one that asks whether it was kept long enough."""
        dropped = tuple(name for step in self.steps if isinstance(step, DropStep) for name in step.drop)
        return self.before + ((RetainedGate(retained=dropped),) if dropped else ())

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks in ``after``, and a reconcile of each mapping of the phase that has none there.

        A backfill that nobody compared has proven nothing, so the comparison is never left out.
        """
        named = {check.reconcile for check in self.after if isinstance(check, ReconcileCheck)}
        names = (name for step in self.steps for name in mappings_of(step))
        return self.after + tuple(ReconcileCheck(reconcile=name) for name in names if name not in named)


class Plan(Strict):
    """How this database gets from today's model to the next."""

    plan: Identifier = Field(description="Name of the plan; the ledger keeps its state under it.")
    description: str | None = Field(None, description="What it is for, in words.")
    settings: Settings = Field(default_factory=Settings, description="How the work is done.")
    migrations: Migrations | None = Field(None, description="The migrations that `migrate` steps apply.")
    phases: tuple[Phase, ...] = Field(
        description="The stages, in this order; an empty list for a plan that only has `partitions` or `standing`."
    )
    partitions: tuple[Partitions, ...] = Field(
        (), description="Tables whose partitions `lockgate partitions` makes and retires. No phase does."
    )
    standing: Standing | None = Field(
        None, description="What must go on holding: `lockgate standing` looks, no phase does."
    )
