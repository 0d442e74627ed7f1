"""LG0xx: what could not be looked at, and what was told to be left out. Whoever reads a text tells these."""

from __future__ import annotations

from lockgate.safety.finding import Severity
from lockgate.safety.rule import Rule

UNREADABLE = Rule(
    "LG001",
    "unreadable",
    Severity.HIGH,
    "The text is not PostgreSQL's SQL",
    "What the parser cannot read nobody can look at, and the server will refuse it, too.",
    (),
    None,
    "Correct it. Templates are linted once they are filled in.",
)
UNREASONED = Rule(
    "LG002",
    "ignored-without-reason",
    Severity.HIGH,
    "A finding is ignored without a reason",
    "A comment that has a rule ignored must say why, so that the next reader knows whether it still holds.",
    (),
    None,
    "-- lockgate: ignore LG101 because the table has ten rows",
)
UNUSED = Rule(
    "LG003",
    "ignores-nothing",
    Severity.LOW,
    "A comment that has a rule ignored matches no finding",
    "The code is wrong, the statement has changed, or the comment stands at another one: it must be right above it, or "
    "behind it on its line.",
    (),
    None,
    "Take the comment out, or put it where the finding is.",
)

RULES = (UNREADABLE, UNREASONED, UNUSED)
