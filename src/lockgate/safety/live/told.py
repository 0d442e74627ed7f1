"""Rules of whose hazard only the database tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from lockgate.safety.context import Context
from lockgate.safety.database import Database
from lockgate.safety.finding import Severity, Tier
from lockgate.safety.probes.asking import Answer as Counted
from lockgate.safety.probes.asking import Looked
from lockgate.safety.rule import Answer, Found, Rule

Look = Callable[[Context, Database], Iterable[Found]]
"""Looks into the database for one rule."""
Refine = Callable[[Context, Database, Sequence[Found]], Iterable[Found]]
"""Looks into the database for a rule whose text tells something already."""


@dataclass(frozen=True, slots=True)
class Told:
    """A rule, and what answers it."""

    rule: Rule
    tier: Tier
    answer: Answer


def told(
    code: str,
    name: str,
    severity: Severity,
    title: str,
    *,
    on: tuple[str, ...],
    hazard: str,
    instead: str,
    looks: str,
    rows: tuple[int, ...] = (),
    tier: Tier = Tier.CATALOG,
) -> Callable[[Look], Told]:
    """Make a look into the database a rule.

    :param looks: what is looked at, for people.
    """
    rule = Rule(code, name, severity, title, hazard, on, None, instead, {tier: looks}, rows)

    def made(look: Look) -> Told:
        return Told(rule, tier, lambda c, found: look(c, cast(Database, c.facts)))

    return made


def refining(refine: Refine) -> Answer:
    """Make an answer of it."""
    return lambda c, found: refine(c, cast(Database, c.facts), found)


def example(counted: Counted) -> str:
    """The keys of examples, where they were asked for."""
    if not counted.examples:
        return ""
    keys = "; ".join(", ".join("NULL" if part is None else part for part in row) for row in counted.examples)
    return f" For example: {keys}."


def unseen(counted: Counted, what: str) -> tuple[str, ...]:
    """What is to be said of a question that was not answered in full."""
    if counted.looked is Looked.EXACT:
        return ()
    why = counted.why if counted.looked is Looked.NOT else f"only {counted}: {counted.why}"
    return (f"{what} ({why})",)


def counted_found(
    c: Context,
    counted: Counted,
    changes: bool,
    *,
    what: str,
    why: str,
    looks: str,
    rewrite: str = "",
) -> Iterable[Found]:
    """A finding of rows that stand in the way; a weaker one where that could not be looked at; none if there are none.

    :param changes: whether statements before this one change rows of the table.
    :param what: with ``{count}`` for how many.
    :param looks: what was to be looked at.
    """
    if counted.found:
        if changes:
            why += " Statements before it change rows of the table, which may mend that: the count is of now."
        severity = Severity.MEDIUM if changes else None
        text = what.replace("{count}", counted.count)
        found = c.found(text, f"{why} ({counted}){example(counted)}", rewrite, severity=severity)
        yield found._replace(unseen=unseen(counted, looks))
    elif not counted.none:
        text = what.replace("{count}", "an unknown number of rows").removeprefix("This fails: ")
        found = c.found(f"This may be so: {text}", why, rewrite, severity=Severity.LOW)
        yield found._replace(unseen=unseen(counted, looks))
