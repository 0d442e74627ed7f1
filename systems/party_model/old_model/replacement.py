"""Which rows to delete, change and add so that a person's rows become the wanted ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Wanted = TypeVar("Wanted")


@dataclass(frozen=True, slots=True)
class Replacement(Generic[Wanted]):
    """``change`` is row id -> what the row becomes."""

    delete: list[int]
    change: dict[int, Wanted]
    add: list[Wanted]


def replacement(
    stored: Iterable[tuple[int, Wanted]], wanted: Sequence[Wanted], value: Callable[[Wanted], str]
) -> Replacement[Wanted]:
    """Keep the rows whose value is wanted; let the others take the new values, as far as they go.

    A row changes its value only from one that is not wanted to one that is not stored, so no two rows ever
    have the same value in between.

    :param value: what identifies an item among the items of one person.
    """
    missing = {value(item): item for item in wanted}
    spare: list[int] = []
    change: dict[int, Wanted] = {}
    for row, item in stored:
        kept = missing.pop(value(item), None)
        if kept is None:
            spare.append(row)
        elif kept != item:
            change[row] = kept
    add = list(missing.values())
    change.update(zip(spare, add, strict=False))
    return Replacement(delete=spare[len(add) :], change=change, add=add[len(spare) :])
