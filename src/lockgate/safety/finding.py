"""What a rule found out about a statement."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Tier(StrEnum):
    """What a finding rests on. Each can tell more than the one before it."""

    TEXT = "text"
    CATALOG = "catalog"
    DATA = "data"


class Severity(StrEnum):
    """How bad it is if the statement runs as it is.

    ``HIGH``: an outage, a failure, or something lost. ``MEDIUM``: harm under circumstances. ``LOW``: worth knowing.
    """

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Finding(NamedTuple):
    """A hazard of one statement.

    :param code: of the rule, stable: ``LG101``.
    :param name: of the rule, for people: ``blocking-index-build``.
    :param where: ``file:line:column``.
    :param what: one sentence, what would happen.
    :param why: the cause, with the figures of this database as far as they are known.
    :param rewrite: what to run or write instead; SQL where there is some.
    :param tier: what it rests on.
    :param not_looked: what could not be looked at, for people; empty if nothing was left out.
    """

    code: str
    name: str
    severity: Severity
    tier: Tier
    where: str
    what: str
    why: str
    rewrite: str = ""
    not_looked: tuple[str, ...] = ()
