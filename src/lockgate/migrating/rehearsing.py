"""What taking back migrations that are programs would destroy: they are taken back for a trial, and all is rolled back.

What a program drops cannot be read from its text. The trial holds the locks that the real thing takes, for as long as
its statements and a look at the schema last, and asks for none of them longer than the plan's ``lock_timeout``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.catalog import document
from lockgate.catalog.destroyed import Destroyed, destroyed_by
from lockgate.catalog.document import Document
from lockgate.engine import sqlerrors
from lockgate.engine.retry import passing
from lockgate.history.base import Migration, Rehearsing, Tool
from lockgate.history.files import HistoryError, MigrationFailed
from lockgate.migrating import planned

if TYPE_CHECKING:
    from lockgate.engine.session import Sessions
    from lockgate.plan.load import LoadedPlan
    from lockgate.plan.models import Phase


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a trial has shown.

    :param names: of the migrations, in the order in which they are taken back.
    :param unknown: why it could not be shown, for people; empty if it was.
    """

    names: tuple[str, ...]
    destroyed: tuple[Destroyed, ...] = ()
    unknown: str = ""


def rehearse(sessions: Sessions, loaded: LoadedPlan, phases: Sequence[Phase]) -> Rehearsal:
    """Take back what the phases' ``migrate`` steps have applied by programs, for a trial.

    :param phases: all that are taken back, the last one first.
    :raises DatabaseError: if a lock was not had, or the like; another time it is.
    """
    with sessions.open("rehearsal", plan_sql=True) as conn:
        wanted = [each for phase in phases for each in planned.applied(conn, loaded, phase) if _is_program(each)]
    names = tuple(each.name for each in wanted)
    if not wanted:
        return Rehearsal(names)
    tool = planned.tool_of(loaded)
    if not isinstance(tool, Rehearsing):
        return Rehearsal(names, unknown=f"what {tool.name} drops when it takes back {', '.join(names)}")
    try:
        after = _taken_back(sessions, tool, tool, wanted)
    except HistoryError as error:
        cause = error.cause if isinstance(error, MigrationFailed) else None
        if cause is not None and passing(cause):
            raise sqlerrors.explain(cause, error.where or "", "What would be lost cannot be told now") from error
        why = error.why or error.what
        return Rehearsal(names, unknown=f"what {', '.join(names)} drop: the trial of it failed ({why})")
    with sessions.open("rehearsal") as conn:
        return Rehearsal(names, tuple(destroyed_by(conn, after, document.read(conn, passing=False))))


def _is_program(migration: Migration) -> bool:
    """Whether it has a down, and no SQL of it."""
    return migration.up is None and migration.down is None and migration.reversible


def _taken_back(sessions: Sessions, tool: Tool, program: Rehearsing, wanted: Sequence[Migration]) -> Document:
    conn = sessions.open("rehearsal", plan_sql=True)
    return program.rehearse(conn, tool.home(conn), wanted, lambda: document.read(conn, passing=False))
