"""The tool of a plan, and what its ``migrate`` steps mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.history.base import Migration, Tool
from lockgate.history.naming import found
from lockgate.ledger.migrations import By
from lockgate.migrating import moving
from lockgate.plan import migrations
from lockgate.plan.models import MigrateStep, Phase

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


def tool_of(loaded: LoadedPlan) -> Tool:
    """The tool of a plan that has ``migrate`` steps.

    :raises PlanError: if its folder is not there, or it cannot be told whose it is.
    """
    return migrations.opened(loaded.plan, loaded.folder, loaded.where)


def by(loaded: LoadedPlan, phase: Phase, step: MigrateStep) -> By:
    """The step, as the ledger's table of migrations names it."""
    return By(loaded.plan.plan, phase.id, step.id)


def pending(conn: Connection[Any], loaded: LoadedPlan, step: MigrateStep, where: str) -> list[Migration]:
    """What a step would apply now, in its order.

    :param conn: with the database's own search_path.
    :param where: the step's place in the plan.
    :raises UsageError: if the folder has no such version.
    """
    tool = tool_of(loaded)
    target = found(tool.migrations(), step.migrate, where)
    return moving.todo(moving.looked(conn, tool, tool.home(conn)), target)


def applied(conn: Connection[Any], loaded: LoadedPlan, phase: Phase) -> list[Migration]:
    """What the phase's ``migrate`` steps have applied and is there, in the order in which it is taken back.

    :param conn: with the database's own search_path.
    """
    those: list[Migration] = []
    for step in reversed(phase.steps):
        if isinstance(step, MigrateStep):
            tool = tool_of(loaded)
            those += reversed(moving.own(conn, tool, tool.home(conn), by(loaded, phase, step)))
    return those
