"""What a database has not had yet, of plans and of the histories of other tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.engine import phases
from lockgate.engine.phases import PhaseState
from lockgate.history import standing
from lockgate.history.base import Migration, Tool
from lockgate.ledger import store
from lockgate.plan.load import LoadedPlan


@dataclass(frozen=True, slots=True)
class PendingHere:
    """Asks the ledger, and the histories of other tools; only reads."""

    conn: Connection[Any]

    def done(self, plan: LoadedPlan) -> frozenset[str]:
        """The phases of a plan that are done."""
        if store.version(self.conn) is None:
            return frozenset()
        states = phases.states(self.conn, plan.plan.plan)
        return frozenset(name for name, state in states.items() if state is PhaseState.DONE)

    def migrations(self, tool: Tool) -> list[Migration]:
        """The migrations of a folder that are not applied.

        :raises FolderError: for a folder with mistakes.
        """
        return list(standing.look(self.conn, tool).pending)
