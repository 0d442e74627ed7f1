"""Since when a table has not been used, by the differences between samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from lockgate.usage.samples import COUNTERS, Sample

READS = ("seq_scan", "idx_scan")
WRITES = ("n_tup_ins", "n_tup_upd", "n_tup_del")
_WORDS = {
    "seq_scan": "sequential scans",
    "idx_scan": "index scans",
    "n_tup_ins": "rows inserted",
    "n_tup_upd": "rows updated",
    "n_tup_del": "rows deleted",
}


@dataclass(frozen=True, slots=True)
class Hit:
    """A use of the table between two samples.

    :param counts: how much of what, by the counters' names.
    :param last_scan: when it was last read, if the server tells and it was then.
    """

    after: datetime
    before: datetime
    counts: dict[str, int]
    last_scan: datetime | None

    @property
    def words(self) -> str:
        """What and how much."""
        return ", ".join(f"{count} {_WORDS[name]}" for name, count in self.counts.items())


@dataclass(frozen=True, slots=True)
class Restart:
    """The counters of two samples cannot be compared, so that the time counts from the later one on."""

    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Window:
    """What the samples of one table tell.

    :param since: nothing is known to have used it from here on.
    :param hits: the oldest first.
    :param own: what Lockgate itself did meanwhile, which is no hit: by what it was for, the counters' names and how
        much.
    """

    since: datetime
    hits: tuple[Hit, ...]
    restarts: tuple[Restart, ...]
    own: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def own_words(self) -> str | None:
        """What and how much Lockgate did, and what for; None where it did nothing."""
        told = []
        for name in COUNTERS:
            parts = {purpose: counts[name] for purpose, counts in self.own.items() if name in counts}
            if parts:
                what = ", ".join(f"{count} {purpose}" for purpose, count in parts.items())
                told.append(f"{sum(parts.values())} {_WORDS[name]} ({what})")
        return ", ".join(told) or None


def judge(samples: Sequence[Sample], counted: Sequence[str], asked: datetime | None = None) -> Window:
    """Since when nobody but Lockgate has used a table.

    Of each sample it is known how much others did at least and at most. Where the server may not yet have counted some
    of Lockgate's own work, that differs, and a use by others may be told by the next sample only: a hit is what is more
    than there can have been before.

    :param samples: of one table's name, the oldest first; at least one.
    :param counted: the counters that count as a use.
    :param asked: what had ended by then is not told.
    """
    since = clean = samples[0].sampled_at
    known = {name: samples[0].most(name) for name in counted}
    hits: list[Hit] = []
    restarts: list[Restart] = []
    for old, new in pairwise(samples):
        grown = {name: new.least(name) - known[name] for name in counted}
        counts = {name: count for name, count in grown.items() if count > 0}
        why = _incomparable(old, new)
        if not why and counts and (gaps := sorted({*old.gaps, *new.gaps})):
            why = f"work of Lockgate's own was not counted: {', '.join(gaps)}"
        if why:
            since = clean = new.sampled_at
            known = {name: new.most(name) for name in counted}
            restarts.append(Restart(since, why))
            continue
        if counts:
            since = new.sampled_at
            read = any(name in counts for name in READS)
            hits.append(Hit(clean, since, counts, new.last_scan if read else None))
        known = {name: max(known[name], new.least(name)) for name in counted}
        if all(new.most(name) <= known[name] for name in counted):
            clean = new.sampled_at
    return Window(
        since,
        tuple(hit for hit in hits if asked is None or hit.before > asked),
        tuple(restart for restart in restarts if asked is None or restart.at > asked),
        _own(samples, counted),
    )


def _own(samples: Sequence[Sample], counted: Sequence[str]) -> dict[str, dict[str, int]]:
    """What Lockgate did between the first sample and the last; of the same table, for of another it is another's."""
    first = next(sample for sample in samples if sample.relid == samples[-1].relid)
    done: dict[str, dict[str, int]] = {}
    for purpose, counts in samples[-1].own.items():
        before = first.own.get(purpose, {})
        grown = {name: counts[name] - before.get(name, 0) for name in counted if name in counts}
        grown = {name: count for name, count in grown.items() if count > 0}
        if grown:
            done[purpose] = grown
    return done


def _incomparable(old: Sample, new: Sample) -> str | None:
    if old.relid != new.relid:
        return "another table has its name"
    if old.started_at != new.started_at:
        return "the server was started again"
    if old.stats_reset != new.stats_reset:
        return "the server's counters were set to zero, or lost in a crash"
    if any(getattr(new, name) < getattr(old, name) for name in (*READS, *WRITES)):
        return "its counters have fallen: they were set to zero, or an index was dropped"
    return None
