"""Asking the rules about a text."""

from __future__ import annotations

from lockgate.safety.examine import Examiner
from lockgate.safety.finding import Finding
from lockgate.safety.registry import ALL
from lockgate.safety.subject import subject
from lockgate.textfile import Source
from tests.unit.safety.cases import BEFORE, Case


def findings(
    text: str,
    *,
    before: str = "",
    up: str = "",
    wrapped: bool = False,
    major: int = 18,
    codes: frozenset[str] = ALL,
    values: bool = False,
) -> list[Finding]:
    """What is said of a text, after the texts that ran before it."""
    examiner = Examiner(wanted=codes, values=values)
    if before:
        examiner.examine(subject(before, Source("before.sql", before).where))
    above = subject(up, Source("up.sql", up).where) if up else None
    direction = "down" if up else "up"
    seen = subject(text, Source("text.sql", text).where, wrapped=wrapped, major=major, direction=direction)  # type: ignore[arg-type]  # one of two words
    return [told.finding for told in examiner.examine(seen, up=above)]


def of_case(case: Case, *, values: bool = False, major: int | None = None) -> list[Finding]:
    """What the rule of a case says of it."""
    return findings(
        case.sql,
        before=BEFORE.get(case.before, case.before),
        up=case.up,
        wrapped=case.wrapped,
        major=major or case.major,
        codes=frozenset({case.code}),
        values=values,
    )
