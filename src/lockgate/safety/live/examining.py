"""Examining texts by all tiers."""

from __future__ import annotations

from dataclasses import dataclass, field

from lockgate.safety.database import Database
from lockgate.safety.examine import Examiner, Told
from lockgate.safety.finding import Tier
from lockgate.safety.live.answers import ANSWERS, by_event
from lockgate.safety.seeding import known, seed
from lockgate.safety.subject import Subject

_TIERS = (Tier.TEXT, Tier.CATALOG, Tier.DATA)


@dataclass(slots=True)
class LiveExaminer(Examiner):
    """Examines texts in the order in which they would run on a database.

    :ivar seen: oids of the tables that texts have named.
    """

    seen: set[int] = field(default_factory=set)

    def examine(self, subject: Subject, *, up: Subject | None = None) -> list[Told]:
        """What all tiers say of a text."""
        assert isinstance(self.facts, Database)
        seed(self.known, self.facts.facts, subject, self.seen)
        told = Examiner.examine(self, subject, up=up)
        self.facts.before.append(subject)
        return told


def examiner(database: Database, *, values: bool = False) -> LiveExaminer:
    """One that looks at texts against a database.

    :param values: whether rewrites may show constants.
    """
    return LiveExaminer(known(database.facts), database, ANSWERS, _TIERS, values, rules=by_event())
