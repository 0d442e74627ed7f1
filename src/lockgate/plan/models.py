"""The plan document as pydantic models: they are the validation and the JSON Schema.

Field descriptions are the plan reference: ``docs/plan-reference.md`` is generated from them.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, PlainSerializer, Tag, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration(value: Any) -> timedelta:
    """Read ``500ms``, ``30s``, ``15m``, ``24h`` or ``30d``.

    :raises ValueError: if it is none of these.
    """
    if isinstance(value, timedelta):
        return value
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError("is not a duration; write a number and a unit, such as 500ms, 30s, 15m, 24h or 30d")
    return timedelta(seconds=float(found[1]) * _UNITS[found[2]])


def format_duration(value: timedelta) -> str:
    """Write a duration in its largest whole unit, so that ``parse_duration`` reads it back."""
    milliseconds = round(value.total_seconds() * 1000)
    for unit in ("d", "h", "m", "s"):
        size = round(_UNITS[unit] * 1000)
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": rf"^{_DURATION.pattern}$", "examples": ["500ms", "30s", "24h", "30d"]}),
]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$")]
SqlText = Annotated[str, Field(min_length=1, description="SQL, or the path of a .sql file beside the plan.")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


# --- settings ---------------------------------------------------------------------------------------------


class HealthQuery(_Strict):
    """A query of the plan that tells whether the work may go on."""

    name: Identifier = Field(description="Name shown when it holds the work.")
    query: SqlText = Field(description="A query that yields one number.")
    at_most: float = Field(description="Go while the number is at most this; hold above.")


class Settings(_Strict):
    """How the work is done. Everything here can be left out."""

    lock_timeout: Duration = Field(timedelta(milliseconds=500), description="Longest wait for a lock.")
    lock_retries: int = Field(30, ge=0, description="How often a lock is asked for again before giving up.")
    statement_timeout: Duration | None = Field(None, description="Longest time of one statement of a chunk.")
    workers: int = Field(1, ge=1, le=64, description="Chunk workers to start with; `lockgate tune` changes it live.")
    chunk_rows: int = Field(20_000, ge=100, description="Rows of the first chunk.")
    chunk_time: Duration = Field(timedelta(seconds=1), description="Time that a chunk should take.")
    max_replica_lag: Duration = Field(timedelta(seconds=30), description="Hold while a replica is further behind.")
    max_waiting_sessions: int = Field(5, ge=0, description="Hold while more sessions than this wait for locks.")
    max_latency: Duration | None = Field(
        None, description="Hold while a tiny probe statement takes longer than this; unset: no latency throttle."
    )
    log_cap: int = Field(
        4 * 1024**3, ge=1024**2, description="Bytes that a change log may take; beyond it sync is switched off."
    )
    log_age_alarm: Duration = Field(timedelta(minutes=5), description="Alarm when the oldest unapplied change is older.")
    health: tuple[HealthQuery, ...] = Field((), description="Further health signals.")


# --- steps ------------------------------------------------------------------------------------------------


class _Step(_Strict):
    title: str | None = Field(None, description="Shown in the report instead of the name.")


class SqlStep(_Step):
    """Run SQL statements."""

    sql: SqlText
    id: Identifier | None = Field(None, description="Name in the ledger; default: the file's name or `sql-N`.")
    outside_transaction: bool = Field(
        False, description="Run statement by statement, each resumable, as CREATE INDEX CONCURRENTLY needs."
    )


class MapStep(_Step):
    """Fill a table of the new model from a SELECT over the old one, and keep it in step."""

    map: Identifier = Field(description="Name of the mapping.")
    into: str = Field(description="The table to fill: schema.table.")
    key: tuple[str, ...] = Field(min_length=1, description="Columns of the target that identify a row; uniquely indexed.")
    from_: str = Field(alias="from", description="The relation whose rows are accounted for; it drives the batches.")
    select: SqlText = Field(description="The SELECT over the old model that yields the rows of the target.")
    winner: tuple[str, ...] = Field(
        (), description="ORDER BY items: who keeps a key that several rows yield; the driving key decides last."
    )
    rejected: dict[str, str] = Field(
        default_factory=dict, description="Reason -> condition on the driving relation, for rows that yield nothing."
    )
    on_insert: dict[str, str] = Field(
        default_factory=dict, description="Column -> expression, set when a row is made and never compared."
    )
    sync: Literal["deferred", "none"] = Field("deferred", description="How the target follows later writes.")
    acknowledge_triggers: tuple[str, ...] = Field(
        (), description="Triggers of the target that may fire for rows that Lockgate writes."
    )


class TransformStep(_Step):
    """Change columns of existing rows in place, in batches, and keep them so."""

    transform: Identifier = Field(description="Name of the transform.")
    table: str = Field(description="The table whose rows are changed: schema.table.")
    key: tuple[str, ...] = Field(min_length=1, description="Columns that identify a row; uniquely indexed.")
    from_: str = Field(alias="from", description="The relation whose rows are accounted for; it drives the batches.")
    select: SqlText = Field(description="A SELECT that yields the key and the new values; applying it twice changes nothing.")
    winner: tuple[str, ...] = Field((), description="ORDER BY items: who decides a row that several rows yield.")
    rejected: dict[str, str] = Field(
        default_factory=dict, description="Reason -> condition on the driving relation, for rows that yield nothing."
    )
    sync: Literal["deferred", "none"] = Field("deferred", description="How the columns follow later writes.")
    acknowledge_triggers: tuple[str, ...] = Field(
        (), description="Triggers of the table that may fire for rows that Lockgate writes."
    )
    keep_before: bool = Field(True, description="Keep the old values, so that the undo can put them back.")


class AnalyzeStep(_Step):
    """Refresh the planner's statistics."""

    analyze: tuple[str, ...] = Field(min_length=1, description="Tables: schema.table.")
    id: Identifier | None = Field(None, description="Name in the ledger; default: `analyze-N`.")


class MeasureStep(_Step):
    """Time two queries against each other, interleaved, and keep times and query plans as evidence."""

    measure: Identifier = Field(description="Name of the measurement.")
    before: SqlText = Field(description="The query over the old model; %(name)s stands for a parameter.")
    after: SqlText = Field(description="The query over the new model; the same parameters.")
    parameters: SqlText | None = Field(None, description="A query whose rows are the parameter sets, a column a name.")
    runs: int = Field(20, ge=3, le=1000, description="Interleaved runs of each query.")
    same_rows: bool = Field(True, description="Fail unless both queries return the same rows.")


_STEP_KINDS = ("sql", "map", "transform", "analyze", "measure")


def _kind(kinds: tuple[str, ...]) -> Any:
    def find(value: Any) -> str | None:
        keys = value if isinstance(value, dict) else set(type(value).model_fields)
        return next((kind for kind in kinds if kind in keys), None)

    return find


Step = Annotated[
    Annotated[SqlStep, Tag("sql")]
    | Annotated[MapStep, Tag("map")]
    | Annotated[TransformStep, Tag("transform")]
    | Annotated[AnalyzeStep, Tag("analyze")]
    | Annotated[MeasureStep, Tag("measure")],
    Discriminator(_kind(_STEP_KINDS)),
]

# --- expectations, gates, checks --------------------------------------------------------------------------

Scalar = str | int | float | bool | None


class _Expectation(_Strict):
    equals: Scalar = Field(None, description="The value that the query must yield, or a query that yields it.")
    at_least: float | None = Field(None, description="The query must yield at least this number.")
    at_most: float | None = Field(None, description="The query must yield at most this number.")
    empty: bool | None = Field(None, description="True: the query must yield no row; false: at least one.")


class QueryGate(_Expectation):
    """A query must yield what is expected before the phase may start."""

    query: SqlText
    title: str | None = Field(None, description="What it means, in words.")


class Soak(_Strict):
    since: Identifier = Field(description="The phase whose end starts the time.")
    for_: Duration = Field(alias="for", description="How long ago that phase must have ended.")


class SoakGate(_Strict):
    """Time must have passed since an earlier phase ended."""

    soak: Soak


class Approval(_Strict):
    by: int = Field(1, ge=1, description="How many different people must approve.")


class ApprovalGate(_Strict):
    """People must have approved this plan for this schema."""

    approval: Approval


Gate = Annotated[
    Annotated[QueryGate, Tag("query")] | Annotated[SoakGate, Tag("soak")] | Annotated[ApprovalGate, Tag("approval")],
    Discriminator(_kind(("query", "soak", "approval"))),
]


class QueryCheck(_Expectation):
    """A query must yield what is expected after the phase."""

    query: SqlText
    title: str | None = Field(None, description="What it means, in words.")


class Objects(_Strict):
    tables: tuple[str, ...] = Field((), description="schema.table")
    columns: dict[str, str] = Field(default_factory=dict, description="schema.table.column -> its type")
    indexes: tuple[str, ...] = Field((), description="schema.index; present and valid")
    constraints: tuple[str, ...] = Field((), description="schema.table.constraint; present and validated")
    triggers: tuple[str, ...] = Field((), description="schema.table.trigger; present and enabled")
    absent: tuple[str, ...] = Field((), description="schema.relation that must not exist")


class ObjectsCheck(_Strict):
    """Schema objects must be present and valid, or absent."""

    objects: Objects


class ReconcileCheck(_Strict):
    """Mapping and table must agree, and every source row must be accounted for."""

    reconcile: Identifier = Field(description="Name of a mapping or transform.")


class ExplainCheck(_Strict):
    """A query's plan must be as expected."""

    explain: SqlText
    uses_index: str | None = Field(None, description="Name of an index that the plan must use.")
    no_seq_scan: tuple[str, ...] = Field((), description="Tables that the plan must not scan from end to end.")
    at_most: Duration | None = Field(None, description="Longest time of the query, measured.")


Check = Annotated[
    Annotated[QueryCheck, Tag("query")]
    | Annotated[ObjectsCheck, Tag("objects")]
    | Annotated[ReconcileCheck, Tag("reconcile")]
    | Annotated[ExplainCheck, Tag("explain")],
    Discriminator(_kind(("query", "objects", "reconcile", "explain"))),
]

# --- phases and plan --------------------------------------------------------------------------------------


class Phase(_Strict):
    """One stage: gates before, steps, checks after, and an undo."""

    id: Identifier
    title: str | None = Field(None, description="Shown in the report.")
    before: tuple[Gate, ...] = Field((), description="Gates: what must hold before the phase may start.")
    steps: tuple[Step, ...] = Field(min_length=1)
    after: tuple[Check, ...] = Field((), description="Checks: what must hold afterwards.")
    undo: tuple[SqlStep, ...] | None = Field(
        None,
        description="SQL that takes back the `sql` steps, run after the derived undo of the mappings. "
        "An empty list says that nothing has to be done; left out, the phase cannot be rolled back if it has `sql` steps.",
    )


class Plan(_Strict):
    """How this database gets from today's model to the next."""

    plan: Identifier = Field(description="Name of the plan; the ledger keeps its state under it.")
    description: str | None = None
    settings: Settings = Field(default_factory=Settings)
    phases: tuple[Phase, ...] = Field(min_length=1)
