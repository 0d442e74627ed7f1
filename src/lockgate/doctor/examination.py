"""All that the doctor looks at, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.doctor import history, plans, server, sync
from lockgate.doctor.findings import Finding, Verdict
from lockgate.engine.session import Sessions
from lockgate.ledger import store
from lockgate.report.plans import names

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


def examine(
    sessions: Sessions, plan: str | None, known_head: str | None = None, loaded: LoadedPlan | None = None
) -> list[Finding]:
    """Look at everything; changes nothing.

    :param plan: name of the plan to look at; None: all that have a history here.
    :param known_head: the chain's head as an earlier report or ``plan.lock.json`` has it.
    :param loaded: the plan itself, if it is at hand: its migrations' history and its objects are looked at, too.
    :raises ConnectionFailed: when the database cannot be used at all.
    """
    found = list(server.server(sessions.preflight()))
    # plan_sql: the plan's own health queries read names as the database does.
    with sessions.open("doctor", plan_sql=True) as conn:
        found += server.role(conn)
        if any(finding.verdict is Verdict.FAIL for finding in found):
            return found
        found += server.signals(conn, sessions.settings)
        found += server.sessions(conn)
        found += server.indexes(conn)
        found += history.version(conn)
        if found[-1].verdict is not Verdict.OK or not store.applied(conn):
            return found
        found += history.chain_is_sound(conn, known_head)
        found += history.lease_is_alive(conn)
        for name in [plan] if plan else names(conn):
            found += history.unfinished(conn, name)
            found += sync.targets(conn, name, sessions.settings)
        found += sync.triggers(conn)
        found += sync.closed(conn)
        found += sync.old_names(conn)
        found += sync.orphans(conn)
        if loaded is not None:
            found += plans.history(conn, loaded)
            found += plans.objects(loaded, sessions)
    return found
