"""Rows as they are read, and what is to be changed in them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from psycopg import Connection

from lockgate.catalog.relations import Leaf
from lockgate.fitting.definition import Fitting


class Change(NamedTuple):
    """What is to be written to one row.

    :param row: its place among the rows that were read.
    :param held: of each column what its source and itself held.
    :param wanted: of each column what it gets.
    """

    row: int
    tid: str
    held: tuple[str | None, ...]
    wanted: tuple[str | None, ...]


@dataclass(slots=True)
class Counts:
    """What values were found, of all columns together.

    :param reasons: unfit values by column and reason.
    :param lacking: rows in which a column does not hold what it should.
    """

    rows: int = 0
    nulls: int = 0
    fit: int = 0
    lacking: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def unfit(self) -> int:
        return sum(self.reasons.values())

    def facts(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "rows": self.rows,
            "fit": self.fit,
            "null": self.nulls,
            "unfit": self.unfit,
            "unfit_by_reason": dict(sorted(self.reasons.items())),
            "lacking": self.lacking,
        }


def values(fitting: Fitting, alias: str) -> str:
    """The expressions of what is read of a row beside its place: of each column its source's text and its own."""
    items = []
    for part in fitting.parts:
        items.append(f"{alias}.{part.source.sql}::text")
        if not part.itself:
            items.append(f"{alias}.{part.column.sql}::text")
    return ", ".join(items)


def sort(
    fitting: Fitting,
    rows: Iterable[Sequence[Any]],
    counts: Counts,
    unfit: Callable[[int, int, str, str], None] = lambda row, part, value, reason: None,
) -> list[Change]:
    """What is to be changed in rows that were read: their place, then their values.

    :param unfit: told of each value without a normal form: the row's place among these, the column's, the value, why.
    """
    own = [part.itself for part in fitting.parts]
    changes: list[Change] = []
    for number, row in enumerate(rows):
        at = 1
        held: list[str | None] = []
        wanted: list[str | None] = []
        lacks = False
        for n, part in enumerate(fitting.parts):
            value = row[at]
            holds = value if own[n] else row[at + 1]
            at += 1 if own[n] else 2
            want, reason = part.wanted(value, holds)
            if reason:
                counts.reasons[f"{part.column.name}: {reason}"] += 1
                unfit(number, n, value, reason)
            elif value is None:
                counts.nulls += 1
            else:
                counts.fit += 1
            held += [value, holds]
            wanted.append(want)
            lacks = lacks or want != holds
        counts.rows += 1
        if lacks:
            changes.append(Change(number, row[0], tuple(held), tuple(wanted)))
    counts.lacking += len(changes)
    return changes


def read_blocks(conn: Connection[Any], fitting: Fitting, leaf: Leaf, lo: int, hi: int) -> list[Sequence[Any]]:
    """The rows of some blocks of a table that holds rows, without those whose values are all NULL."""
    some = " OR ".join(f"t.{part.source.sql} IS NOT NULL" for part in fitting.parts)
    return conn.execute(
        f"SELECT t.ctid::text, {values(fitting, 't')} FROM ONLY {leaf.sql} AS t "
        f"WHERE t.ctid >= '({lo},0)'::tid AND t.ctid < '({hi},0)'::tid AND ({some})".encode()
    ).fetchall()


def quarantined(fitting: Fitting, part: int, key: Sequence[str], value: str, reason: str) -> tuple[str, str, str]:
    """What quarantine holds of a value: the reason, the key of its row, and the value, both as JSON objects."""
    of = fitting.parts[part]
    kept = json.dumps({of.source.name: value}, ensure_ascii=False)
    return f"{of.column.name}: {reason}", fitting.place_of(key), kept
