"""What the demo of the hardening found out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lockgate.demo.canary import Waits
from lockgate.demo.result import PlainResult
from lockgate.report.model import Report


@dataclass(frozen=True, slots=True)
class Added:
    """What hangs on the tables that was not there before, on tables that were.

    :ivar constraints: checks and foreign keys.
    :ivar indexes: all of them, ``unique`` included.
    :ivar tables: those whose constraints, indexes, defaults or settings are other ones now.
    """

    checks: int
    foreign_keys: int
    indexes: int
    unique: int
    tables: tuple[str, ...]

    @property
    def constraints(self) -> int:
        """Checks and foreign keys."""
        return self.checks + self.foreign_keys


def added(before: Iterable[tuple[str, str, str]], after: Iterable[tuple[str, str, str]]) -> Added:
    """What differs; each object is a table, a kind, and a name."""
    old = set(before)
    there = {table for table, _, _ in old}
    new = {each for each in set(after) - old if each[0] in there}
    kinds = [kind for _, kind, _ in new]
    changed = {table for table, _, _ in old ^ set(after) if table in there}
    return Added(
        checks=kinds.count("check"),
        foreign_keys=kinds.count("foreign key"),
        indexes=kinds.count("index") + kinds.count("unique index"),
        unique=kinds.count("unique index"),
        tables=tuple(sorted(changed)),
    )


def exhibits(report: Report, prefix: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The newest exhibit of each name that begins so, by the rest of the name."""
    found: dict[str, Mapping[str, Any]] = {}
    for exhibit in sorted(report.exhibits, key=lambda each: each.seq):
        if exhibit.name.startswith(prefix):
            found[exhibit.name.removeprefix(prefix)] = exhibit.result
    return sorted(found.items())


@dataclass(frozen=True, slots=True)
class HardenedResult(PlainResult):
    """All figures of the demo of the hardening.

    :ivar quarantined: rows of the generator that are in quarantine.
    :ivar duplicates_left: rows of core.entity_phones that are still too many.
    :ivar constraints_added: checks and foreign keys. :ivar indexes_added: those of unique constraints too.
    :ivar tables_touched: tables whose rows, constraints, indexes, defaults or settings are other ones now.
    :ivar foreign_keys_skipped: name -> reason.
    :ivar online_seconds: what the plan took, without its last phase, while others wrote.
    :ivar offline_seconds: what the same statements took in one transaction, on a copy that nobody used.
    :ivar waits: table -> the longest that a read and a write took, while the plan ran, was taken back, and ran again.
    """

    quarantined: int
    duplicates_left: int
    constraints_added: int
    indexes_added: int
    tables_touched: tuple[str, ...]
    foreign_keys_skipped: Mapping[str, str]
    online_seconds: float
    offline_seconds: float
    waits: Mapping[str, Waits]
