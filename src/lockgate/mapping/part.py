"""A part of the driving relation: the rows of a table from one place of its heap to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockgate.catalog.relations import Leaf
from lockgate.mapping.compiled import Compiled
from lockgate.sql.tree import quote

Place = tuple[int, int]
"""A block, and the number of a row in it."""


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of a leaf from ``low`` to below ``high``."""

    leaf: Leaf
    low: Place
    high: Place

    def holds(self, alias: str) -> str:
        """The condition that a row has its place here."""
        return between(alias, self.low, self.high)

    def yields(self, compiled: Compiled, extra: Sequence[tuple[str, str]] = ()) -> str:
        """What a mapping yields of its rows."""
        replace = {compiled.driving.index: f"ONLY {self.leaf.sql}"}
        return compiled.yields(extra=extra, replace=replace, where=[self.holds(quote(compiled.driving.alias))])


def between(alias: str, low: Place, high: Place) -> str:
    """The condition that a row has its place from ``low`` to below ``high``."""
    return f"{alias}.ctid >= {tid(low)} AND {alias}.ctid < {tid(high)}"


def tid(place: Place) -> str:
    """A place for SQL."""
    return f"'({place[0]},{place[1]})'::tid"
