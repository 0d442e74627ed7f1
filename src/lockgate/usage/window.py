"""Since when a table has not been used, by the differences between samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from lockgate.usage.samples import Sample

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
    """

    since: datetime
    hits: tuple[Hit, ...]
    restarts: tuple[Restart, ...]


def judge(samples: Sequence[Sample], counted: Sequence[str]) -> Window:
    """Since when a table has not been used.

    :param samples: of one table's name, the oldest first; at least one.
    :param counted: the counters that count as a use.
    """
    since = samples[0].sampled_at
    hits: list[Hit] = []
    restarts: list[Restart] = []
    for old, new in pairwise(samples):
        why = _incomparable(old, new)
        if why:
            since = new.sampled_at
            restarts.append(Restart(since, why))
            continue
        grown = {name: getattr(new, name) - getattr(old, name) for name in counted}
        counts = {name: count for name, count in grown.items() if count > 0}
        if counts:
            since = new.sampled_at
            read = any(name in counts for name in READS)
            hits.append(Hit(old.sampled_at, since, counts, new.last_scan if read else None))
    return Window(since, tuple(hits), tuple(restarts))


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
