"""What the steps ``index`` and ``constraint`` run instead of what is written in them, for those who look at SQL."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from lockgate.constraints import wanted as constraints
from lockgate.constraints.describing import statements
from lockgate.indexing import wanted as indexes
from lockgate.plan.models import ConstraintStep, IndexStep

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan
    from lockgate.plan.shape import Path


def statements_at(loaded: LoadedPlan, path: Path) -> Iterator[tuple[str, str]]:
    """The statements of the step whose text is at a path of the plan, each with its place.

    :raises PlanError: for SQL that such a step cannot run.
    """
    _, phase, _, number, _ = path
    step = loaded.plan.phases[int(phase)].steps[int(number)]
    at = partial(loaded.where, *path)
    match step:
        case IndexStep():
            items = [each.built() for each in indexes.wanted(step.index, at)]
        case ConstraintStep():
            items = [
                item
                for each in constraints.wanted(step.constraint, at)
                if each.name not in step.skip_missing
                for item in statements([each])
            ]
        case _:
            items = []
    for item in items:
        yield item.statement.text, item.where
