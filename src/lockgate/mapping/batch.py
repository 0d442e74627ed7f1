"""One batch of an applier: what it found when it began, what there was to take in, and what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class Batch:
    """What one batch did.

    :param changes: logged rows that were taken in.
    :param own: whether the application has written keys in the new model, now or before, that are only there.
    :param pending: whether there is more to do at once: a backlog, or keys to look at again.
    :param backfill: whether chunks of the target are still open.
    :param repair: whether something happened that no log can tell, so that the whole target must be compared.
    :param unseen: whether the application may have written to the target without a log of it.
    """

    changes: int = 0
    own: bool = False
    keys: int = 0
    deleted: int = 0
    updated: int = 0
    inserted: int = 0
    poisoned: int = 0
    pending: bool = False
    repair: bool = False
    unseen: bool = False
    backfill: bool = False

    @property
    def written(self) -> int:
        """Rows of the target that were changed."""
        return self.deleted + self.updated + self.inserted


@dataclass(slots=True)
class State:
    """What a batch found when it began: its snapshot, and the one before, up to which everything was taken in."""

    snapshot: str
    state: str
    fingerprint: str | None
    repair: bool
    poison: bool
    now: str
    xmin: int
    xmax: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to take in.

    :param due: whether keys are due for a second look; ``backlog``: whether there is a backlog.
    :param born: whether any key is born in the new model.
    :param changes: log id -> logged rows that are new (counted up to one more than a batch), and whether a
        TRUNCATE is among them.
    """

    due: bool
    backlog: bool
    born: bool
    changes: Mapping[int, tuple[int, bool]]

    @property
    def anything(self) -> bool:
        """Whether there is anything to take in."""
        return self.due or self.backlog or any(count for count, _ in self.changes.values())
