"""Linting: each text is read, examined, and what its comments have ignored is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lockgate.lint.ignoring import left
from lockgate.lint.sources import Found
from lockgate.lint.texts import Text
from lockgate.safety.examine import Examiner
from lockgate.safety.finding import Finding, Severity, Tier
from lockgate.safety.registry import ALL, RULES
from lockgate.safety.rules.reading import UNREADABLE
from lockgate.safety.subject import NEWEST, Subject, subject
from lockgate.sql.script import read

_ORDER = {severity: number for number, severity in enumerate(Severity)}


@dataclass(slots=True)
class Outcome:
    """What was found.

    :ivar findings: in the order of the texts, and in each by line and column.
    :ivar files: the files that were read.
    :ivar ignored: how many findings comments have left out.
    :ivar skipped: what could not be looked at, for people.
    """

    findings: list[Finding] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    statements: int = 0
    ignored: int = 0
    skipped: list[str] = field(default_factory=list)

    def count(self, severity: Severity) -> int:
        """How many findings are of a severity."""
        return sum(finding.severity is severity for finding in self.findings)

    def fails(self, at: Severity | None) -> bool:
        """Whether a finding is as bad as ``at``, or worse; never for None."""
        return at is not None and any(_ORDER[finding.severity] <= _ORDER[at] for finding in self.findings)


def chosen(select: Iterable[str], ignore: Iterable[str]) -> frozenset[str]:
    """The codes to look for: those that begin with one of ``select`` (all if there is none) and none of ``ignore``."""
    select, ignore = tuple(select), tuple(ignore)
    return frozenset(
        code for code in RULES if (not select or code.startswith(select)) and not (ignore and code.startswith(ignore))
    )


def lint(
    found: Found, *, wanted: frozenset[str] = ALL, major: int = NEWEST, examiner: Examiner | None = None
) -> Outcome:
    """Look at all texts.

    :param wanted: codes of rules.
    :param major: of the server that they are for.
    :param examiner: looks at all of them one after the other; None: each batch stands for itself.
    """
    outcome = Outcome(skipped=found.skipped)
    for problem in found.problems:
        outcome.files.append(problem.file)
        outcome.findings.append(_unreadable(problem.where, f"{problem.what[:1].upper()}{problem.what[1:]}."))
    for batch in found.batches:
        looking = Examiner(wanted=wanted) if examiner is None else examiner
        read_before: dict[int, Subject] = {}
        for text in batch.texts:
            up = read_before.get(id(text.up)) if text.up is not None else None
            read_before[id(text)] = _one(text, looking, outcome, wanted, major, up)
    return outcome


def _one(
    text: Text, examiner: Examiner, outcome: Outcome, wanted: frozenset[str], major: int, up: Subject | None
) -> Subject:
    pieces, unread = read(text.text)
    seen = subject(
        text.text,
        text.at,
        found=pieces,
        wrapped=text.wrapped,
        major=major,
        direction=text.direction,
        patient=text.patient,
    )
    if text.direction == "down":  # it is not run on the way forth, so what it does is not known to later texts
        examiner = Examiner(wanted=wanted)
    told = examiner.examine(seen, up=up)
    kept, ignored = left(seen, told, wanted)
    kept += [_unreadable(text.at(each.at), f"This is not SQL: {_masked(each.what)}.") for each in unread]
    if not outcome.files or outcome.files[-1] != text.file:
        outcome.files.append(text.file)
    outcome.statements += len(pieces)
    outcome.ignored += ignored
    outcome.findings += sorted(kept, key=_place)
    return seen


def _place(finding: Finding) -> tuple[int, int, str]:
    _, line, column = finding.where.rsplit(":", 2)
    return int(line), int(column), finding.code


def _unreadable(where: str, what: str) -> Finding:
    return Finding(
        UNREADABLE.code,
        UNREADABLE.name,
        UNREADABLE.severity,
        Tier.TEXT,
        where,
        what,
        UNREADABLE.hazard,
        UNREADABLE.instead,
    )


_NEAR = re.compile(r' at or near "(?P<token>.*)"', re.S)


def _masked(what: str) -> str:
    """The parser's words, without a token that may hold a value."""
    found = _NEAR.search(what)
    return what if found is None or found["token"].isidentifier() else _NEAR.sub("", what)


def by_file(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """The findings of each file."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.where.rsplit(":", 2)[0], []).append(finding)
    return found
