"""What a rule is, and what its check hands back.

A rule is a function in a module of ``lockgate.safety.rules`` that looks at a statement's text. What the catalog, or the
rows, can add to it is an *answer*: a function that gets what was found so far and gives what to say in its place, so
that it can confirm, refine or withdraw. A finding rests on the last tier whose function ran, and says what the tiers
that were not reached would have looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from lockgate.safety.finding import Severity, Tier

if TYPE_CHECKING:
    from lockgate.safety.context import Context
    from lockgate.safety.subject import Statement

ANY = "Any"
"""The event of each statement, whatever it is."""
TEXT_END = "TextEnd"
"""The event after the last statement of a text."""
COLUMN = "Column"
"""The event of each column that is made: ``part`` is its ``ColumnDef``."""


class Found(NamedTuple):
    """What a check found. The values of literals must not be in it.

    :param what: one sentence, what would happen.
    :param why: the cause.
    :param rewrite: SQL that does the same without the harm, or what to do instead.
    :param at: which character of the text it is about.
    :param statement: if it is not the one that was looked at.
    :param severity: if it is not the rule's own.
    :param settled: whether the text alone decides it, so that no other tier has anything to add.
    :param unseen: what a tier that was reached could not look at, for people.
    """

    what: str
    why: str
    rewrite: str = ""
    at: int = 0
    statement: Statement | None = None
    severity: Severity | None = None
    settled: bool = False
    unseen: tuple[str, ...] = ()


Check = Callable[["Context"], Iterable[Found]]
"""Looks at a statement's text."""
Answer = Callable[["Context", Sequence[Found]], Iterable[Found]]
"""Gets what the tiers below found, and gives what to say in its place."""


class Rule(NamedTuple):
    """A hazard that can be told.

    :param code: stable: ``LG101``. The first digit is the family.
    :param title: what the rule is about, half a line.
    :param hazard: what happens, and why, in a paragraph.
    :param on: events that it is asked at: kinds of statements (``IndexStmt``), of ALTER TABLE's commands
        (``AT_AddColumn``), of constraints that are made, of a column or of a table (``CONSTR_CHECK``; ``part`` is its
        ``Constraint``), ``COLUMN``, ``ANY``, ``TEXT_END``.
    :param check: on the text; None for a rule of whose hazard the text alone says nothing.
    :param looks: what the tiers above the text look at for it, for people: "whether the table is empty".
    :param rows: of the catalogue of hazards.
    """

    code: str
    name: str
    severity: Severity
    title: str
    hazard: str
    on: tuple[str, ...]
    check: Check | None
    instead: str = ""
    looks: Mapping[Tier, str] = MappingProxyType({})
    rows: tuple[int, ...] = ()

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """All that can tell of it, the lowest first."""
        return (*((Tier.TEXT,) if self.check else ()), *self.looks)


def rule(
    code: str,
    name: str,
    severity: Severity,
    title: str,
    *,
    on: tuple[str, ...],
    hazard: str,
    instead: str,
    rows: tuple[int, ...] = (),
    catalog: str = "",
    data: str = "",
) -> Callable[[Check], Rule]:
    """Make a check a rule.

    :param catalog: what the catalog is asked for it; empty if it has nothing to add.
    :param data: what the rows are asked for it.
    """
    looks = {tier: text for tier, text in ((Tier.CATALOG, catalog), (Tier.DATA, data)) if text}

    def made(check: Check) -> Rule:
        return Rule(code, name, severity, title, hazard, on, check, instead, looks, rows)

    return made
