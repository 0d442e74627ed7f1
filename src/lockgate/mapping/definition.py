"""What a plan says about one mapping, in one form for ``map`` and ``transform`` steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lockgate.plan.models import MapStep, TransformStep
from lockgate.plan.values import split_name


def _by_name(name: str) -> Callable[..., str]:
    def place(*path: str | int, offset: int | None = None) -> str:
        inner = ".".join(str(part) for part in path)
        return f"mapping {name}" + (f" ({inner})" if inner else "")

    return place


def _column(text: str) -> str:
    """The name of a column as the catalog holds it: as in SQL, quotes keep case, and without them there is none."""
    parts = split_name(text)
    assert parts is not None  # the plan's models saw to it
    return parts[0]


@dataclass(frozen=True, slots=True)
class Definition:
    """One mapping as the plan says it.

    :param updates_only: a transform: rows of the target are changed, never made or removed.
    :param place: tells where a part of it stands in the plan, as ``file:line:column``.
    """

    name: str
    updates_only: bool
    into: str
    key: tuple[str, ...]
    from_: str
    select: str
    winner: tuple[str, ...]
    rejected: Mapping[str, str]
    not_kept: tuple[str, ...]
    on_insert: Mapping[str, str]
    sync: bool
    acknowledge_triggers: tuple[str, ...]
    keep_before: bool
    place: Callable[..., str] = field(compare=False)

    def dump(self) -> dict[str, Any]:
        """The definition as JSON values, for the ledger."""
        return {
            "name": self.name,
            "updates_only": self.updates_only,
            "into": self.into,
            "key": list(self.key),
            "from": self.from_,
            "select": self.select,
            "winner": list(self.winner),
            # Pairs: the ledger's JSON keeps no order of names, and the first reason that holds counts.
            "rejected": [[reason, condition] for reason, condition in self.rejected.items()],
            "not_kept": list(self.not_kept),
            "on_insert": dict(self.on_insert),
            "sync": self.sync,
            "acknowledge_triggers": list(self.acknowledge_triggers),
            "keep_before": self.keep_before,
        }


def load(value: Mapping[str, Any]) -> Definition:
    """Read a definition back from the ledger."""
    return Definition(
        name=value["name"],
        updates_only=value["updates_only"],
        into=value["into"],
        key=tuple(value["key"]),
        from_=value["from"],
        select=value["select"],
        winner=tuple(value["winner"]),
        rejected=dict(value["rejected"]),
        not_kept=tuple(value["not_kept"]),
        on_insert=dict(value["on_insert"]),
        sync=value["sync"],
        acknowledge_triggers=tuple(value["acknowledge_triggers"]),
        keep_before=value["keep_before"],
        place=_by_name(value["name"]),
    )


def from_step(step: MapStep | TransformStep, place: Callable[..., str] | None = None) -> Definition:
    """Take the definition from a step of a plan."""
    transform = isinstance(step, TransformStep)
    name = step.transform if isinstance(step, TransformStep) else step.map
    return Definition(
        name=name,
        updates_only=transform,
        into=step.table if isinstance(step, TransformStep) else step.into,
        key=tuple(map(_column, step.key)),
        from_=step.from_,
        select=step.select,
        winner=step.winner,
        rejected=step.rejected,
        not_kept=step.not_kept,
        on_insert={} if isinstance(step, TransformStep) else {_column(k): v for k, v in step.on_insert.items()},
        sync=step.sync == "deferred",
        acknowledge_triggers=step.acknowledge_triggers,
        keep_before=step.keep_before if isinstance(step, TransformStep) else False,
        place=place or _by_name(name),
    )
