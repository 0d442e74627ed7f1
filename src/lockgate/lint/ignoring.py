"""Comments that have findings left out: ``-- lockgate: ignore LG101 because the table has ten rows``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lockgate.safety.examine import Told
from lockgate.safety.finding import Finding, Tier
from lockgate.safety.rule import Rule
from lockgate.safety.rules.reading import UNREASONED, UNUSED
from lockgate.safety.subject import Statement, Subject

_COMMENT = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?P<tag>[^\W\d]\w*|)\$.*?\$(?P=tag)\$|/\*.*?\*/|--(?P<said>[^\n]*)""",
    re.DOTALL,
)
_SAYS = re.compile(r"\s*lockgate:\s*ignore\b\s*(?P<codes>(?:LG\d+\s*,?\s*)*)(?:because\b(?P<reason>.*))?", re.I)
_CODE = re.compile(r"LG\d+", re.I)


@dataclass(slots=True)
class Ignore:
    """One comment.

    :param at: the character of the text at which it begins.
    :ivar used: whether a finding was left out for it.
    """

    at: int
    codes: frozenset[str]
    reason: str
    statement: Statement | None
    used: set[str] = field(default_factory=set)


def ignores(subject: Subject) -> list[Ignore]:
    """The comments of a text."""
    if "lockgate:" not in subject.text.lower():
        return []
    found = []
    for match in _COMMENT.finditer(subject.text):
        says = _SAYS.match(match["said"]) if match["said"] else None
        if says is not None:
            codes = frozenset(code.upper() for code in _CODE.findall(says["codes"]))
            at = match.start()
            found.append(Ignore(at, codes, (says["reason"] or "").strip(), _statement(subject, at)))
    return found


def _statement(subject: Subject, at: int) -> Statement | None:
    """The one that a comment is about: which it is in or behind, on the same line, else the next one."""
    for statement in subject.statements:
        if at < statement.end or "\n" not in subject.text[statement.end : at]:
            return statement
    return None


def left(subject: Subject, told: list[Told], wanted: frozenset[str]) -> tuple[list[Finding], int]:
    """The findings that are not ignored, with those about the comments themselves; and how many were ignored.

    :param wanted: the codes that were looked for: a comment about another one is not told to match nothing.
    """
    comments = ignores(subject)
    if not comments:
        return [each.finding for each in told], 0
    kept, ignored = [], 0
    for each in told:
        comment = next((one for one in comments if one.reason and _fits(one, each)), None)
        if comment is None:
            kept.append(each.finding)
        else:
            comment.used.add(each.finding.code)
            ignored += 1
    for comment in comments:
        kept += _about(subject, comment, wanted)
    return kept, ignored


def _fits(comment: Ignore, told: Told) -> bool:
    return told.finding.code in comment.codes and told.statement is comment.statement


def _about(subject: Subject, comment: Ignore, wanted: frozenset[str]) -> list[Finding]:
    where = subject.at(comment.at)
    if not comment.codes or not comment.reason:
        missing = "which rule" if not comment.codes else "why"
        return [_finding(UNREASONED, where, f"This comment does not say {missing}, so nothing is ignored.")]
    unused = sorted((comment.codes & wanted) - comment.used)
    unknown = [] if comment.codes <= wanted else sorted(code for code in comment.codes if code not in wanted)
    from lockgate.safety.live.answers import ALL

    unused += [code for code in unknown if code not in ALL]
    if not unused:
        return []
    return [_finding(UNUSED, where, f"Nothing is found here that {', '.join(unused)} would be ignored for.")]


def _finding(rule: Rule, where: str, what: str) -> Finding:
    return Finding(rule.code, rule.name, rule.severity, Tier.TEXT, where, what, rule.hazard, rule.instead)
