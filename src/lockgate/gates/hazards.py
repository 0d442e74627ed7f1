"""The hazards of the SQL that a phase would run now: its own, and that of the migrations which it would apply."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.lint.live import check
from lockgate.lint.plans import texts
from lockgate.lint.run import Outcome
from lockgate.lint.sources import Found, of_migrations
from lockgate.lint.texts import Batch
from lockgate.migrating import planned
from lockgate.plan.models import MigrateStep, Phase
from lockgate.safety.finding import Finding
from lockgate.steps.online import statements_at

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


def of_phase(loaded: LoadedPlan, phase: Phase, conn: Connection[Any], limit: timedelta) -> Outcome:
    """Look at a phase as `lockgate check` does; nothing is written.

    :param conn: an autocommit connection with the application's search_path.
    :param limit: how long one query of rows may take.
    :raises LockgateError: if its migrations, or the catalog, cannot be read.
    """
    i = loaded.plan.phases.index(phase)
    others = {each.id for each in loaded.plan.phases} - {phase.id}
    found = Found([Batch([text]) for text in texts(loaded, statements_at, others)])
    for j, step in enumerate(phase.steps):
        if isinstance(step, MigrateStep):
            where = loaded.where("phases", i, "steps", j, "migrate")
            of_migrations(planned.pending(conn, loaded, step, where), found)
    return check(found, conn, limit=limit)


def as_row(finding: Finding) -> dict[str, str]:
    """A finding for the ledger: what it is and where; it holds no value of a row."""
    return {
        "code": finding.code,
        "severity": str(finding.severity),
        "where": finding.where,
        "what": finding.what,
        "tier": str(finding.tier),
    }
