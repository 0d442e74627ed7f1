"""Whether one row of the driving relation can yield several rows: decided from unique indexes."""

from __future__ import annotations

from collections.abc import Mapping

from lockgate.catalog.relations import Relation
from lockgate.sql.equalities import Equality, equalities, has_functions
from lockgate.sql.select import Occurrence, Select


def may_fan_out(select: Select, relations: Mapping[int, Relation], driving: Occurrence) -> bool:
    """Whether a driving row may yield more than one row.

    It cannot when every other relation of the outermost FROM is joined on all columns of one of its
    unique indexes, starting from the driving one. True means only: not proven.

    :param relations: occurrence number -> relation.
    """
    if has_functions(select):
        return True
    found = equalities(select)
    fixed = {driving.alias}
    waiting = [o for o in select.occurrences if o.outermost and o.index != driving.index]
    if len(waiting) + 1 != sum(1 for o in select.occurrences if o.in_from):
        return True
    progress = True
    while waiting and progress:
        ready = [o for o in waiting if _pinned(o, relations[o.index], found, fixed)]
        fixed.update(o.alias for o in ready)
        waiting = [o for o in waiting if o not in ready]
        progress = bool(ready)
    return bool(waiting)


def _pinned(occurrence: Occurrence, relation: Relation, found: list[Equality], fixed: set[str]) -> bool:
    pinned = {e.column for e in found if e.alias == occurrence.alias and e.needs <= fixed}
    return any(
        index.is_unique
        and index.is_valid
        and index.is_immediate
        and not index.is_partial
        and not index.on_expressions
        and set(index.columns) <= pinned
        for index in relation.indexes
    )
