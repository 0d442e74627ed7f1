"""Whether a driving row can yield several rows, and several of them one key: decided from unique indexes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

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


def may_repeat_key(
    select: Select, relations: Mapping[int, Relation], driving: Occurrence, key: Collection[str], *, fan_out: bool
) -> bool:
    """Whether several rows that a SELECT yields may have one key.

    They cannot when the key determines a row of each relation of the outermost FROM, or that of the driving one where
    that fans out never: what the key outputs, and what is equal to that, covers a unique index of one relation after
    the other. True means only: not proven.

    :param key: names of the key's outputs.
    """
    plain = select.plain_outputs
    known = {plain[name] for name in key if name in plain}
    everything = {o.alias for o in select.occurrences if o.in_from}
    pairs = [((e.alias, e.column), e.other) for e in equalities(select) if e.other]
    while True:
        rows = [o for o in select.occurrences if o.outermost and _unique(relations[o.index], _of(o.alias, known))]
        found = {o.alias for o in rows}
        if driving.alias in found and (not fan_out or (found == everything and not has_functions(select))):
            return False
        more = {(o.alias, column.name) for o in rows for column in relations[o.index].columns}
        more |= {left for left, right in pairs if right in known}
        if more <= known:
            return True
        known |= more


def _of(alias: str, columns: Collection[tuple[str, str]]) -> set[str]:
    return {name for owner, name in columns if owner == alias}


def _pinned(occurrence: Occurrence, relation: Relation, found: list[Equality], fixed: set[str]) -> bool:
    return _unique(relation, {e.column for e in found if e.alias == occurrence.alias and e.needs <= fixed})


def _unique(relation: Relation, columns: set[str]) -> bool:
    """Whether values of these columns belong to one row at most."""
    return any(
        index.is_unique
        and index.is_valid
        and index.is_immediate
        and not index.is_partial
        and not index.on_expressions
        and set(index.columns) <= columns
        for index in relation.indexes
    )
