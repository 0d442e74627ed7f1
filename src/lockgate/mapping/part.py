"""A part of the driving relation: the blocks that one chunk reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockgate.catalog.relations import Leaf
from lockgate.mapping.compiled import Compiled
from lockgate.sql.tree import quote


@dataclass(frozen=True, slots=True)
class Part:
    """Blocks ``[low, high)`` of a leaf."""

    leaf: Leaf
    low: int
    high: int

    def holds(self, alias: str) -> str:
        """The condition that a row has its place here."""
        return f"{alias}.ctid >= '({self.low},0)'::tid AND {alias}.ctid < '({self.high},0)'::tid"

    def yields(self, compiled: Compiled, extra: Sequence[tuple[str, str]] = ()) -> str:
        """What a mapping yields of its rows."""
        replace = {compiled.driving.index: f"ONLY {self.leaf.sql}"}
        return compiled.yields(extra=extra, replace=replace, where=[self.holds(quote(compiled.driving.alias))])
