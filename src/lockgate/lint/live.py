"""Checking: texts against a live database, of which nothing but the catalog and rows are read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from psycopg import Connection

from lockgate.lint.run import Outcome, lint
from lockgate.lint.sources import Found
from lockgate.lint.texts import Batch
from lockgate.safety import snapshot
from lockgate.safety.database import Database
from lockgate.safety.examine import Examiner, Told
from lockgate.safety.finding import Tier
from lockgate.safety.live.answers import ALL, ANSWERS, by_event
from lockgate.safety.probes.asking import Prober
from lockgate.safety.seeding import known
from lockgate.safety.subject import Subject


@dataclass(slots=True)
class LiveExaminer(Examiner):
    """Examines texts in the order in which they would run on a database."""

    def examine(self, subject: Subject, *, up: Subject | None = None) -> list[Told]:
        """What all tiers say of a text."""
        told = Examiner.examine(self, subject, up=up)
        assert isinstance(self.facts, Database)
        self.facts.before.append(subject)
        return told


def check(found: Found, conn: Connection[Any], *, limit: timedelta, examples: bool = False) -> Outcome:
    """Look at all that would run, in its order.

    :param conn: an autocommit connection with the search_path of the application; only read on.
    :param limit: how long a query of rows may take.
    :param examples: whether to show keys of rows and constants of statements.
    :raises psycopg.errors.LockNotAvailable: if a lock keeps the catalog from being read.
    """
    facts = snapshot.read(conn)
    database = Database(facts, Prober(conn, facts, limit, examples=examples))
    tiers = (Tier.TEXT, Tier.CATALOG, Tier.DATA)
    examiner = LiveExaminer(known(facts), database, ANSWERS, tiers, examples, rules=by_event())
    forth = replace(found, batches=[Batch([text for text in b.texts if text.direction == "up"]) for b in found.batches])
    return lint(forth, wanted=ALL, major=facts.version // 10_000, examiner=examiner)
