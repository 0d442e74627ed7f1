"""The report as data: what Markdown and JSON are both written from.

Every number stands beside ``seq``, the number of the chain's entry that it was read from. What has no such
number is a count of entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence from the ledger."""

    seq: int
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """A gate or a check, as it was last evaluated.

    :param what: what was found.
    :param evidence: chain numbers of the facts that it was decided on.
    """

    seq: int
    at: datetime
    what: str
    passed: bool
    evidence: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A step as the ledger has it.

    :param facts: what was counted while it ran.
    :param evidence: chain numbers of what was measured while it ran.
    """

    seq: int | None
    at: datetime | None
    name: str
    kind: str
    title: str | None
    state: str
    summary: str | None
    facts: Mapping[str, Any]
    evidence: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase of the plan, begun or not.

    :param seq: the entry of its present state; None while it is pending.
    :param started: the entry of its (last) beginning.
    :param asked: of a phase that has not begun, what its gates and checks will ask.
    :param way_back: how it can be taken back, by the plan.
    """

    name: str
    title: str | None
    state: str
    seq: int | None
    at: datetime | None
    started: Line | None
    asked: tuple[str, ...]
    gates: tuple[Verdict, ...]
    steps: tuple[Step, ...]
    checks: tuple[Verdict, ...]
    way_back: str


@dataclass(frozen=True, slots=True)
class Accounting:
    """What became of every row of a mapping's driving relation.

    :param of: what ``source_rows`` counts: of a SELECT that is copied whole the rows that it yields.
    """

    seq: int
    at: datetime
    source_rows: int
    migrated: int
    merged: int
    rejected: int
    rejected_by_reason: Mapping[str, int]
    born_in_new_model: int
    unexplained_rows: int
    of: str = "source rows"

    @property
    def adds_up(self) -> bool:
        """Whether each source row has exactly one outcome and nothing is left to explain."""
        return self.migrated + self.merged + self.rejected == self.source_rows and not self.unexplained_rows


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The last full comparison of a mapping with its table."""

    seq: int
    at: datetime
    missing: int
    different: int
    extra: int
    pending: int
    compared_rows: int
    target_rows: int

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.different or self.extra)


@dataclass(frozen=True, slots=True)
class MappingPart:
    """A mapping or transform that was compared or accounted for."""

    name: str
    accounting: Accounting | None
    reconciliation: Reconciliation | None


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows that did not arrive one to one, as the ledger keeps them.

    :param query: yields all of them.
    :param rows: their values as text; none where values are not shown.
    :param more: whether there are more than are shown.
    """

    what: str
    query: str
    rows: tuple[tuple[str, ...], ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Times:
    """How long one query took, milliseconds."""

    median_ms: float
    quartile_low_ms: float
    quartile_high_ms: float
    fastest_ms: float
    slowest_ms: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """A query over the old model timed against one over the new, interleaved.

    :param factor: how many times faster the new one is.
    :param rows: that both yielded alike, over all parameters; None where they were not compared.
    :param plans: side -> the query's plan, a line a node.
    """

    seq: int
    at: datetime
    name: str
    before: Times
    after: Times
    factor: float | None
    runs: int
    parameter_sets: int
    rows: int | None
    plans: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Removed:
    """A table that was dropped for good.

    :param archived_as: the name under which the backups hold it.
    :param dependents: kind and name of what was dropped before it.
    :param erased_rows: that were erased while it was in the archive.
    :param purpose: what rows of people were kept for, on the legal ``basis``.
    :param backups: numbers of the backups that hold its rows.
    """

    seq: int
    at: datetime
    table: str
    archived_as: str
    rows: int
    bytes: int
    dependents: tuple[str, ...]
    backups: tuple[int, ...]
    erased_rows: int
    purpose: str | None
    basis: str | None


@dataclass(frozen=True, slots=True)
class InArchive:
    """A table that is in the archive.

    :param rows: without those that were erased.
    :param retain_until: ISO 8601.
    :param purpose: what rows of people are kept for, on the legal ``basis``.
    :param held: the reasons of the legal holds that stand.
    """

    seq: int
    at: datetime
    table: str
    rows: int
    bytes: int
    retain_until: str
    purpose: str | None
    basis: str | None
    erased_rows: int
    held: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WayBack:
    """A table of the old model that is kept in step after a cutover, as it was found right before.

    :param added: rows that only the new model had; ``kept`` those that only the old one has.
    """

    seq: int
    table: str
    added: int
    kept: int


@dataclass(frozen=True, slots=True)
class Handover:
    """A cutover.

    :param held_ms: how long writers waited for it at most.
    :param way_back: empty if there is none but by losing what was written since.
    :param closed: when the way back was closed; None while it is open.
    """

    seq: int
    at: datetime
    name: str
    phase: str | None
    held_ms: int
    way_back: tuple[WayBack, ...]
    closed: Line | None


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup.

    :param what: the tables that were chosen, in words.
    :param restore_seconds: how long the restore took by which it was proven; None without one.
    :param proof: the entry of that.
    :param copy: how far a copy that was reached by an address was compared; None for files.
    """

    seq: int
    at: datetime
    number: str
    what: str
    tables: int
    rows: int
    restore_seconds: float | None
    proof: int | None
    copy: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """A standing check as its last run left it; what was found is kept beside the chain, for as long as the plan says.

    :param state: alert, fails, holds, unknown or idle.
    :param values: what the latest runs measured, the newest first; None where that was no number.
    """

    name: str
    asks: str
    state: str
    at: datetime | None
    found: str | None
    values: tuple[float | None, ...]
    failing_since: datetime | None
    alert_since: datetime | None


@dataclass(frozen=True, slots=True)
class LetPass:
    """Days that were let pass in a rehearsal."""

    seq: int
    days: int


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A fact: what was asked, what came out, and when."""

    seq: int
    at: datetime
    phase: str | None
    step: str | None
    name: str
    query: str
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """All of it.

    :param head: ``<seq>:<hash>`` of the chain's last entry when this was read.
    :param as_of: when that entry was made.
    :param faults: what is wrong with the chain; empty when it is sound.
    :param events: what went otherwise than straight on: pauses, retries, failures, runs that were stopped.
    :param log: every entry that is no evidence, in a sentence.
    """

    plan: str
    description: str | None
    digest: str
    digest_seq: int
    head: str
    as_of: datetime
    entries: int
    faults: tuple[str, ...]
    let_pass: LetPass | None
    phases_done: int
    phases_planned: int
    phases: tuple[Phase, ...]
    mappings: tuple[MappingPart, ...]
    listings: tuple[Listing, ...]
    measurements: tuple[Measurement, ...]
    handovers: tuple[Handover, ...]
    backups: tuple[Backup, ...]
    in_archive: tuple[InArchive, ...]
    erasures_and_holds: tuple[Line, ...]
    removed: tuple[Removed, ...]
    standing: tuple[Standing, ...]
    approvals: tuple[Line, ...]
    events: tuple[Line, ...]
    undone: tuple[Line, ...]
    exhibits: tuple[Exhibit, ...]
    log: tuple[Line, ...]
