"""Foreign keys that the plan itself adds: generated rows keep them; whether those of the source do, `check` tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lockgate.constraints.wanted import Kind, Wanted, wanted
from lockgate.plan.models import ConstraintStep
from lockgate.rehearse.source import Reference, TableShape
from lockgate.sql.tree import strings
from lockgate.steps.base import place

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


def with_references(tables: Sequence[TableShape], loaded: LoadedPlan) -> list[TableShape]:
    """The tables, with what the plan's ``constraint`` steps make them refer to."""
    keys = [each for each in _constraints(loaded) if each.kind is Kind.FOREIGN_KEY]
    return [replace(table, references=(*table.references, *_added(table, keys, tables))) for table in tables]


def _constraints(loaded: LoadedPlan) -> Iterator[Wanted]:
    for phase in loaded.plan.phases:
        for step in phase.steps:
            if isinstance(step, ConstraintStep):
                yield from wanted(step.constraint, partial(place, loaded, phase, step, "constraint"))


def _added(table: TableShape, keys: Sequence[Wanted], tables: Sequence[TableShape]) -> Iterator[Reference]:
    for key in keys:
        parent = next((other for other in tables if other.is_called(key.parent)), None)
        if parent is None or not table.is_called(key.table):
            continue
        columns = table.numbers(key.columns)
        referred = parent.numbers(strings(key.node.pk_attrs)) or next(iter(parent.uniques), ())
        if columns and len(columns) == len(referred):
            yield Reference(key.name, columns, parent.oid, referred)
