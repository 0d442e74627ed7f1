"""The plan against the database: its migrations' history, and the objects of the phases that are done."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.doctor.findings import Finding, fail, ok
from lockgate.engine import phases
from lockgate.engine.context import Silent
from lockgate.engine.phases import PhaseState
from lockgate.errors import LockgateError
from lockgate.history.base import Tool
from lockgate.history.naming import found
from lockgate.migrating import moving, planned
from lockgate.plan.models import MigrateStep, ObjectsCheck
from lockgate.verification import Verified, verify

if TYPE_CHECKING:
    from lockgate.engine.session import Sessions
    from lockgate.plan.load import LoadedPlan


def history(conn: Connection[Any], loaded: LoadedPlan) -> Iterator[Finding]:
    """Whether the folder of migrations fits its history, and the phases that are done have theirs in it.

    :param conn: with the database's own search_path.
    """
    if loaded.plan.migrations is None:
        return
    try:
        tool = planned.tool_of(loaded)
        now = moving.looked(conn, tool, tool.home(conn))
    except LockgateError as error:
        yield fail("history", ": ".join(filter(None, (error.what, error.why))), error.hint or "Mend the folder.")
        return
    for entry in now.blocking:
        yield fail("history", f"{entry.name or entry.version} is {entry.state.value}: {entry.why}", entry.do)
    waiting = {migration.version for migration in now.pending}
    lacking = [name for name in _wanted(conn, loaded, tool) if name in waiting]
    if lacking:
        yield fail(
            "history",
            f"{', '.join(lacking)} of phases that are done is not in {now.home}: somebody took it back",
            "`lockgate history adopt` compares the schema with each migration; `lockgate history apply` applies it.",
        )
    elif not now.blocking:
        applied = [entry for entry in now.entries if entry.version not in waiting]
        last = f"is at {applied[-1].name}" if applied else "is at its beginning"
        yield ok("history", f"{tool.name} {last}, {len(waiting)} wait ({now.home})")


def objects(loaded: LoadedPlan, sessions: Sessions) -> Iterator[Finding]:
    """The ``objects`` checks of every phase that is done."""
    nobody = threading.Event()
    kinds = (ObjectsCheck,)
    made = verify(loaded, sessions, only=None, kinds=kinds, progress=Silent(), clock=sessions.clock, stop=nobody)
    for each in made:
        what = f"{each.phase}: {_said(each)}"
        yield (
            ok("objects", what)
            if each.passed
            else fail("objects", what, f"It was so when {each.phase} ended: put it right.")
        )


def _said(made: Verified) -> str:
    return made.result.what if made.result is not None else str(made.error)


def _wanted(conn: Connection[Any], loaded: LoadedPlan, tool: Tool) -> list[str]:
    """The versions that the phases which are done have brought the history to, and all before them."""
    states = phases.states(conn, loaded.plan.plan)
    known = list(tool.migrations())
    last = 0
    for phase in loaded.plan.phases:
        for step in phase.steps:
            if isinstance(step, MigrateStep) and states.get(phase.id) is PhaseState.DONE:
                last = max(last, known.index(found(known, step.migrate, str(loaded.folder))) + 1)
    return [migration.version for migration in known[:last]]
