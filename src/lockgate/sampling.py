"""Keeping what the server has counted of the tables that a plan's gates ask about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.engine import replicas
from lockgate.errors import UsageError
from lockgate.ledger import require_home
from lockgate.plan.models import UnusedGate, UnwrittenGate
from lockgate.usage import samples
from lockgate.usage.samples import Sample
from lockgate.usage.tables import matching

if TYPE_CHECKING:
    from lockgate.engine.clock import Clock
    from lockgate.engine.session import Sessions
    from lockgate.plan.load import LoadedPlan

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Sampled:
    """What was kept.

    :param empty: what the gates name and is not there.
    :param uncounted: foreign tables, whose use is not counted here.
    :param unreached: replicas that could not be asked, with why.
    """

    samples: tuple[Sample, ...]
    empty: tuple[str, ...]
    uncounted: tuple[str, ...]
    unreached: dict[str, str]


def sample(loaded: LoadedPlan, sessions: Sessions, clock: Clock) -> Sampled:
    """Keep one sample of each table that a gate of the plan asks about.

    :raises UsageError: when no gate does.
    :raises LedgerError: when there is no ledger, or it was copied from another database.
    """
    patterns: list[str] = []
    names: list[str] = []
    for gate in (gate for phase in loaded.plan.phases for gate in phase.before):
        if isinstance(gate, UnwrittenGate):
            patterns += gate.unwritten.tables
        elif isinstance(gate, UnusedGate):
            patterns += gate.unused.tables
            names += gate.unused.replicas
    if not patterns:
        raise UsageError(
            "No gate of this plan asks whether tables are used",
            where=str(loaded.folder),
            hint="Put `unused: {tables: [schema.name], for: 30d}` before the phase that needs it.",
        )
    with sessions.open("sample") as conn:
        require_home(conn)
        tables, empty = matching(conn, list(dict.fromkeys(patterns)))
        counted = [table for table in tables if table.counted]
        samples.watch(conn, [table.oid for table in counted])
        taken = _settled(conn, loaded.plan.plan, [table.oid for table in counted], clock)
        unreached = {}
        for name in dict.fromkeys(names):
            found = replicas.counted(name, conn, loaded.plan.plan, counted, clock)
            if isinstance(found, str):
                unreached[name] = found
            else:
                taken += found
        begun = samples.first_of_hour(conn, loaded.plan.plan, taken)
        samples.keep(conn, loaded.plan.plan, taken)
        if begun:
            samples.thin(conn, loaded.plan.plan, clock.of(conn))
    uncounted = tuple(table.label for table in tables if not table.counted)
    return Sampled(tuple(taken), tuple(empty), uncounted, unreached)


def _settled(conn: Connection[Any], plan: str, oids: list[int], clock: Clock) -> list[Sample]:
    """A sample at a moment at which the server has counted all that Lockgate did; any, where there is none so soon."""
    for _ in range(_TRIES):
        taken = samples.read(conn, plan, oids, clock.of(conn))
        if all(sample.settled for sample in taken):
            break
    return taken
