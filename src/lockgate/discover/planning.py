"""The plan that mends what was found: a plan.yaml with the figures of the findings as comments.

A step stands in it only where nothing has to be decided or mended before it by a person; the others are comments.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from lockgate.discover.finding import Finding
from lockgate.discover.run import Outcome
from lockgate.errors import UsageError
from lockgate.plan.load import PLAN_FILE

_WIDTH = 116
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_SURE = frozenset({"DB201", "DB304", "DB401", "DB101", "DB102"})
"""Kinds whose steps need no decision: the rows say that they hold, or the step does not change what may be written."""


def write(outcome: Outcome, place: Path) -> Path:
    """Write the plan; the file that was written.

    :param place: a folder, or the plan.yaml in it.
    :raises UsageError: when it is there already, cannot be written, or no finding has a step.
    """
    file = place if place.suffix in {".yaml", ".yml"} else place / PLAN_FILE
    if file.name != PLAN_FILE:
        raise UsageError(
            f"A plan is a folder with a file {PLAN_FILE} in it", where=str(file), hint="Name the folder, or that file."
        )
    if file.exists():
        raise UsageError("There is a plan here already", where=str(file), hint="Name another file or folder.")
    text = as_text(outcome)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    except OSError as error:
        raise UsageError("The plan cannot be written", where=str(file), why=error.strerror) from None
    return file


def as_text(outcome: Outcome) -> str:
    """The text of plan.yaml.

    :raises UsageError: when no finding has a step that a plan can run.
    """
    findings = _hindered(outcome.findings)
    ready = [finding for finding in findings if is_ready(finding)]
    phases = [*_phase("keys", "Duplicates out, keys and references kept", _keys(ready))]
    phases += _phase("indexes", "Indexes below foreign keys", _indexes(ready))
    phases += _phase("statistics", "Figures for the planner", _analyzed(ready))
    if not phases:
        raise UsageError(
            "No plan was written",
            where=f"database {outcome.database}",
            why="Nothing that was found has a step which could run as it is.",
        )
    others = [finding for finding in findings if not is_ready(finding)]
    head = [
        *_comment(f"Written by lockgate discover from database {outcome.database}. Read it before you run it.", 0),
        "plan: mend",
        "phases:",
    ]
    return "\n".join([*head, *phases, *_left(others)]) + "\n"


def is_ready(finding: Finding) -> bool:
    """Whether the finding's steps can run without anything that a person has to do before."""
    mend = finding.mend
    steps = mend.dedupe or mend.constraint or mend.index or mend.analyze
    return bool(steps) and finding.code in _SURE and not mend.first


def _phase(name: str, title: str, steps: Sequence[str]) -> list[str]:
    return ["", f"  - id: {name}", f"    title: {title}", "    steps:", *steps] if steps else []


def _hindered(findings: Sequence[Finding]) -> list[Finding]:
    """The findings; duplicates are left to a person where something else that was found speaks against a step."""
    return [
        replace(finding, mend=replace(finding.mend, first=why))
        if finding.mend.dedupe and not finding.mend.first and (why := _against(finding, findings))
        else finding
        for finding in findings
    ]


def _against(alike: Finding, findings: Iterable[Finding]) -> str:
    """Why rows that are alike cannot simply be put aside; empty if they can."""
    assert alike.mend.dedupe is not None
    for finding in findings:
        if finding.mend.hinders and finding.mend.parent == alike.mend.dedupe[0]:
            return finding.mend.hinders
        if finding.code == "DB501" and finding.table == alike.table and set(finding.columns) <= set(alike.columns):
            column = finding.columns[0]
            return f"a value of {column} that breaks its format may stand for none in several rows: set it to NULL"
    return ""


def _keys(findings: Iterable[Finding]) -> list[str]:
    lines: list[str] = []
    # Foreign keys first: only by them it is known what refers to a row that is put aside.
    for finding in sorted(findings, key=lambda finding: finding.mend.dedupe is not None):
        if not finding.mend.dedupe and not finding.mend.constraint:
            continue
        lines += _told(finding)
        if finding.mend.dedupe:
            table, by, keep = finding.mend.dedupe
            lines.append(f"      - dedupe: {_scalar(table)}")
            lines.append(f"        by: [{', '.join(map(_scalar, by))}]")
            lines.append(f"        keep: [{', '.join(map(_scalar, keep))}]")
        if finding.mend.constraint:
            lines += _sql("constraint", finding.mend.constraint)
    return lines


def _indexes(findings: Sequence[Finding]) -> list[str]:
    """The indexes, but for those that do what a new key does as well."""
    keys = [(finding.table, finding.columns) for finding in findings if finding.mend.dedupe]
    lines: list[str] = []
    for finding in findings:
        led = any(
            table == finding.table and columns[: len(finding.columns)] == finding.columns for table, columns in keys
        )
        if finding.mend.index and not led:
            lines += _told(finding)
            lines += _sql("index", finding.mend.index)
    return lines


def _analyzed(findings: Sequence[Finding]) -> list[str]:
    lines: list[str] = []
    tables = []
    for finding in findings:
        if finding.mend.analyze:
            lines += _told(finding)
            tables.append(finding.mend.analyze)
    if tables:
        lines.append(f"      - analyze: [{', '.join(map(_scalar, tables))}]")
    return lines


def _sql(kind: str, statements: str) -> list[str]:
    return [f"      - {kind}: |", *(f"          {line}" for line in statements.splitlines())]


def _left(findings: Sequence[Finding]) -> Iterator[str]:
    """What a person has to decide, with the steps that would follow."""
    if not findings:
        return
    yield ""
    yield from _comment("What is left, because somebody has to decide or to mend something before:", 0)
    for finding in findings:
        yield "#"
        yield from _comment(f"{finding.code} {finding.what}", 0)
        if finding.mend.first:
            yield from _comment(f"First: {finding.mend.first}.", 2)
        statements = finding.mend.constraint or finding.mend.index
        if statements:
            yield f"#   - {'constraint' if finding.mend.constraint else 'index'}: |"
            yield from (f"#       {line}" for line in statements.splitlines())
        else:
            yield from _comment(f"Do: {finding.mend.said}", 2)


def _told(finding: Finding) -> Iterator[str]:
    basis = "exact" if finding.exact else f"estimated, from {finding.basis}"
    for line in _comment(f"{finding.code} {finding.what} ({basis})", 0):
        yield f"      {line}"


def _comment(text: str, indent: int) -> Iterator[str]:
    """A text as comments; whatever ends a line in YAML ends none."""
    words = "".join(sign if sign.isprintable() else " " for sign in text).split()
    line = "#" + " " * (indent + 1)
    head = line
    for word in words:
        if len(line) + len(word) > _WIDTH and line != head:
            yield line.rstrip()
            line = head
        line += word + " "
    yield line.rstrip()


def _scalar(name: str) -> str:
    """A name as YAML takes it for a text."""
    return name if _PLAIN_NAME.fullmatch(name) and name not in _WORDS else json.dumps(name, ensure_ascii=False)
