"""Measurements as the ledger has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lockgate.report.model import Exhibit, Measurement, Times

PREFIX = "measure:"


def collect(exhibits: Iterable[Exhibit]) -> Iterator[Measurement]:
    """The last of each name."""
    latest = {exhibit.name: exhibit for exhibit in exhibits if exhibit.name.startswith(PREFIX)}
    for name, exhibit in latest.items():
        found = exhibit.result
        yield Measurement(
            seq=exhibit.seq,
            at=exhibit.at,
            name=name.removeprefix(PREFIX),
            before=_times(found["before"]),
            after=_times(found["after"]),
            factor=found["factor"],
            runs=found["runs"],
            parameter_sets=found["parameter_sets"],
            rows=found.get("rows"),
            plans={side: tuple(nodes(found["plans"][side])) for side in ("before", "after")},
        )


def _times(found: Mapping[str, Any]) -> Times:
    return Times(**{name: found[name] for name in Times.__dataclass_fields__})


def nodes(tree: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """A query plan as people read it: a node a line, its children further in."""
    index = f" using {tree['Index Name']}" if "Index Name" in tree else ""
    table = ".".join(str(tree[name]) for name in ("Schema", "Relation Name") if name in tree)
    yield "  " * depth + str(tree.get("Node Type", "?")) + index + (f" on {table}" if table else "")
    for child in tree.get("Plans", ()):
        yield from nodes(child, depth + 1)
