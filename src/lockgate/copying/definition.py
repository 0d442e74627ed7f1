"""What a ``copy`` step is about: that of its own, or of the earlier copy that it goes on with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.copying import source
from lockgate.copying.order import Order, order
from lockgate.copying.pairs import pair
from lockgate.copying.source import Source
from lockgate.engine.clock import Clock
from lockgate.engine.context import Progress
from lockgate.errors import PlanError
from lockgate.plan.models import CopyStep

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


@dataclass(frozen=True, slots=True)
class Definition:
    """A copy.

    :param step: the one that says the tables.
    :param place: ``file:line:column`` of a part of it.
    """

    step: CopyStep
    place: Callable[..., str]

    @property
    def name(self) -> str:
        """Under which the ledger keeps it."""
        return self.step.copy_

    def source(self, loaded: LoadedPlan, clock: Clock, progress: Progress, stop: threading.Event) -> Source:
        """The database that is copied."""
        assert self.step.from_ is not None, "the plan's model lets no other through"
        dsn = source.address(self.step.from_, self.place("from"))
        own = bool(self.step.select or self.step.where)
        return Source(dsn, loaded.plan.settings, clock, progress, stop, self.place(), plan_sql=own)

    def way_back(self, loaded: LoadedPlan, clock: Clock, progress: Progress, stop: threading.Event) -> Source:
        """The same database, to be written."""
        assert self.step.back is not None
        dsn = source.address(self.step.back, self.place("back"))
        own = bool(self.step.where)
        return Source(dsn, loaded.plan.settings, clock, progress, stop, self.place(), writes=True, plan_sql=own)

    def pairs(self, here: Connection[Any], there: Connection[Any]) -> Order:
        """What is copied, in order.

        :raises PlanError: if it does not fit both databases.
        """
        return order(here, pair(here, there, self.step, self.place), self.place("tables"))


def of_step(loaded: LoadedPlan, step: CopyStep) -> Definition:
    """The copy that a step of the plan makes, or goes on with."""
    return named(loaded, step.again or step.copy_)


def named(loaded: LoadedPlan, name: str) -> Definition:
    """The copy of this name, or that which the step of this name goes on with.

    :raises PlanError: if there is none.
    """
    for i, phase in enumerate(loaded.plan.phases):
        for j, step in enumerate(phase.steps):
            if isinstance(step, CopyStep) and step.copy_ == name:
                if step.again is not None:
                    return named(loaded, step.again)
                return Definition(step, partial(loaded.where, "phases", i, "steps", j))
    raise PlanError(f"There is no copy called {name}", where=f"{loaded.folder}/plan.yaml")
