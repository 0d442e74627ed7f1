"""The second half of the demo: the old model is retired, while days are let pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from psycopg import Connection

from lockgate.backup import record
from lockgate.backup.make import make
from lockgate.backup.prove import prove
from lockgate.demo.result import Ending
from lockgate.engine.clock import ForwardedClock
from lockgate.engine.context import Progress
from lockgate.engine.session import Sessions
from lockgate.ledger import chain
from lockgate.plan.load import LoadedPlan
from lockgate.sampling import sample

ARCHIVED = ("core.entities", "core.entity_*")
IN_ARCHIVE = ("archive.entities", "archive.entity_*")
_KEYS = """
SELECT count(*) FROM pg_catalog.pg_constraint c
WHERE c.contype = 'f' AND c.confrelid = pg_catalog.to_regclass('core.entities')
"""
_RELATIONS = """
SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('core', 'dim', 'ref') AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY 1
"""
_DROPPED = "SELECT count(*) FROM lockgate.dropped"


@dataclass(slots=True)
class Retirement:
    """Retires the old model; what there was before is remembered when this is made.

    :param apply: brings the plan to the end of a phase.
    :param say: tells people.
    """

    loaded: LoadedPlan
    sessions: Sessions
    clock: ForwardedClock
    folder: Path
    progress: Progress
    apply: Callable[[str | None], None]
    say: Callable[[str], None]
    _keys: int = 0
    _before: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        with self.sessions.open("demo") as conn:
            self._keys = _one(conn, _KEYS)
            self._before = _names(conn)

    def run(self) -> Ending:
        """Bring the plan to its end."""
        self._pass(timedelta(days=2), timedelta(days=1), "so that nobody writes the old tables")
        self.apply("split_tables")
        with self.sessions.open("demo") as conn:
            keys = self._keys - _one(conn, _KEYS)
        self._pass(timedelta(days=31), timedelta(days=7), "so that nobody uses them")
        self._backup(ARCHIVED)
        self.apply("archive")
        self._pass(timedelta(days=91), timedelta(days=7), "for which the archive must be kept")
        self._backup(())
        self._backup(IN_ARCHIVE)
        self.apply(None)
        with self.sessions.open("demo") as conn:
            return Ending(
                days_passed=self.clock.passed.days,
                foreign_keys_gone=keys,
                gone=tuple(sorted(self._before - _names(conn))),
                logged=_one(conn, _DROPPED),
            )

    def _pass(self, time: timedelta, step: timedelta, why: str) -> None:
        """Let days pass, with a look at the tables in between, as cron would have it."""
        self.say(f"{time.days} days are let pass, {why}")
        sample(self.loaded, self.sessions, self.clock)
        left = time
        while left > timedelta():
            self.clock.forward(min(step, left))
            left -= step
            sample(self.loaded, self.sessions, self.clock)
        with self.sessions.open("demo") as conn, conn.transaction():
            chain.evidence(
                conn,
                plan=self.loaded.plan.plan,
                phase=None,
                step=None,
                name="fast_forward",
                query="the demo's clock: these days did not pass",
                result={"days": time.days, "in_all": self.clock.passed.days},
            )

    def _backup(self, tables: Sequence[str]) -> None:
        plan = self.loaded.plan.plan
        made = make(self.sessions, self.folder / "backups", plan, patterns=tables, progress=self.progress)
        number = record.keep(self.sessions, plan, made)
        record.proven(self.sessions, plan, number, made, prove(made.folder, progress=self.progress))
        self.say(f"backup {number} is proven: {', '.join(tables) or 'everything'}")


def _one(conn: Connection[Any], query: str) -> int:
    row = conn.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


def _names(conn: Connection[Any]) -> frozenset[str]:
    return frozenset(str(name) for (name,) in conn.execute(_RELATIONS.encode()))
