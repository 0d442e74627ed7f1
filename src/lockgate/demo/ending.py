"""The second half of the demo: the old model is retired, while days are let pass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import Connection

from lockgate.demo.result import Ending
from lockgate.demo.stage import Stage
from lockgate.engine.clock import ForwardedClock
from lockgate.ledger import chain
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

    :param clock: the stage's.
    """

    stage: Stage
    clock: ForwardedClock
    _keys: int = 0
    _before: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        with self.stage.sessions.open("demo") as conn:
            self._keys = _one(conn, _KEYS)
            self._before = _names(conn)

    def run(self) -> Ending:
        """Bring the plan to its end."""
        stage = self.stage
        self._pass(timedelta(days=2), timedelta(days=1), "so that nobody writes the old tables")
        stage.apply("split_tables")
        with self.stage.sessions.open("demo") as conn:
            keys = self._keys - _one(conn, _KEYS)
        self._pass(timedelta(days=31), timedelta(days=7), "so that nobody uses them")
        stage.back_up(ARCHIVED)
        stage.apply("archive")
        self._pass(timedelta(days=91), timedelta(days=7), "for which the archive must be kept")
        stage.back_up()
        stage.back_up(IN_ARCHIVE)
        stage.apply()
        with self.stage.sessions.open("demo") as conn:
            return Ending(
                days_passed=self.clock.passed.days,
                foreign_keys_gone=keys,
                gone=tuple(sorted(self._before - _names(conn))),
                logged=_one(conn, _DROPPED),
            )

    def _pass(self, time: timedelta, step: timedelta, why: str) -> None:
        """Let days pass, with a look at the tables in between, as cron would have it."""
        stage = self.stage
        stage.say(f"{time.days} days are let pass, {why}")
        sample(stage.loaded, stage.sessions, self.clock)
        left = time
        while left > timedelta():
            self.clock.forward(min(step, left))
            left -= step
            sample(stage.loaded, stage.sessions, self.clock)
        with self.stage.sessions.open("demo") as conn, conn.transaction():
            chain.evidence(
                conn,
                plan=stage.name,
                phase=None,
                step=None,
                name="fast_forward",
                query="the demo's clock: these days did not pass",
                result={"days": time.days, "in_all": self.clock.passed.days},
            )


def _one(conn: Connection[Any], query: str) -> int:
    row = conn.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


def _names(conn: Connection[Any]) -> frozenset[str]:
    return frozenset(str(name) for (name,) in conn.execute(_RELATIONS.encode()))
