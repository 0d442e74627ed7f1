"""What a demo found out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lockgate.demo.registry import PARTY_MODEL


@dataclass(frozen=True, slots=True)
class Latency:
    """How long requests took in a part of the demo, from when they were due; milliseconds."""

    requests: int
    failed: int
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the rows of one mapping's source, without those that the load made."""

    mapping: str
    source_rows: int
    migrated: int
    merged: int
    rejected: int
    rejected_by_reason: Mapping[str, int]
    born_in_new_model: int
    unexplained_rows: int
    load_rows: int


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of the old model.

    :ivar days_passed: days that were let pass.
    :ivar foreign_keys_gone: of those that pointed at core.entities.
    :ivar gone: tables and views of before that are there no more.
    :ivar logged: tables of which the permanent log tells that they were dropped.
    """

    days_passed: int
    foreign_keys_gone: int
    gone: tuple[str, ...]
    logged: int


@dataclass(frozen=True, slots=True)
class DemoResult:
    """All figures of a demo.

    ``source_rows``, ``migrated``, ``merged`` and ``rejected`` are those of the contacts: the rows of
    core.entity_emails and core.entity_phones, and what became of them; ``accounts`` has every mapping.
    No figure but ``load_rows`` holds a row that the load made.

    :ivar requests: requests to the service, from the first to the last.
    :ivar acknowledged_writes: people whose storing or removal the service acknowledged.
    :ivar lost_writes: people of whom one of the models does not hold what was last acknowledged.
    :ivar born_in_new_model: parties that have no entity.
    :ivar unexplained_rows: over all mappings.
    :ivar load_rows: rows of the old model's tables that the load made.
    :ivar backfill_rows_per_second: rows that all mappings read, by the time that their chunks took.
    :ivar latency: ``before``, ``during`` and ``after`` the plan.
    :ivar differences: what did not come out as the generator had announced; empty if all did.
    :ivar writers_held_ms: how long the cutover held up writers at most.
    :ivar ending: what became of the old model, if the demo went to the end.
    :ivar kept: where the data are, if they were kept.
    """

    scale: float
    seed: int
    requests: int
    failed_requests: int
    acknowledged_writes: int
    lost_writes: int
    source_rows: int
    migrated: int
    merged: int
    rejected: int
    born_in_new_model: int
    unexplained_rows: int
    load_rows: int
    backfill_rows_per_second: float
    latency: Mapping[str, Latency]
    phases_done: int
    phases_planned: int
    checks_failed: tuple[str, ...]
    accounts: tuple[Account, ...]
    differences: tuple[str, ...]
    lost: Sequence[Mapping[str, Any]]
    failures: Sequence[Mapping[str, Any]]
    seconds: Mapping[str, float]
    report_md: Path
    report_json: Path
    kept: str | None
    writers_held_ms: int | None
    ending: Ending | None
    phases_wanted: int

    @property
    def holds(self) -> bool:
        """Whether nothing failed, nothing was lost, and every row is where it must be."""
        return (
            not (self.failed_requests or self.lost_writes or self.unexplained_rows)
            and self.migrated + self.merged + self.rejected == self.source_rows
            and self.phases_done == self.phases_wanted
            and not (self.checks_failed or self.differences)
        )

    @property
    def p99_ms_before(self) -> float | None:
        """99 % of the requests before the plan began took at most this."""
        return self.latency["before"].p99_ms

    @property
    def p99_ms_during(self) -> float | None:
        """99 % of the requests while the plan ran took at most this."""
        return self.latency["during"].p99_ms

    def as_json(self) -> dict[str, Any]:
        """One object of plain values."""
        plain = asdict(self)
        return {
            "system": PARTY_MODEL,
            **plain,
            "p99_ms_before": self.p99_ms_before,
            "p99_ms_during": self.p99_ms_during,
            "report_md": str(self.report_md),
            "report_json": str(self.report_json),
            "holds": self.holds,
        }


@dataclass(frozen=True, slots=True)
class PlainResult:
    """All figures of the demo of a system whose application is a thread that writes.

    :ivar acknowledged_writes: of the application, while the plan ran.
    :ivar failed_writes: of the application, for which a user would have seen an error.
    :ivar figures: what else there is to know, by its name for people.
    :ivar differences: what did not come out as announced, a sentence each; empty if all did.
    :ivar kept: where the data are, if they were kept.
    """

    system: str
    scale: float
    seed: int
    phases_done: int
    phases_planned: int
    checks_failed: tuple[str, ...]
    unexplained_rows: int
    acknowledged_writes: int
    failed_writes: int
    lost_writes: int
    figures: Mapping[str, int | float | str]
    differences: tuple[str, ...]
    seconds: Mapping[str, float]
    report_md: Path
    report_json: Path
    kept: str | None

    @property
    def holds(self) -> bool:
        """Whether all phases are done, nothing failed and nothing was lost."""
        return self.phases_done == self.phases_planned and not (
            self.checks_failed or self.unexplained_rows or self.failed_writes or self.lost_writes or self.differences
        )

    def as_json(self) -> dict[str, Any]:
        """One object of plain values."""
        paths = {"report_md": str(self.report_md), "report_json": str(self.report_json)}
        return {**asdict(self), **paths, "holds": self.holds}
