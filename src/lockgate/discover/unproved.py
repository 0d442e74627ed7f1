"""Constraints that the server keeps for new rows only: how many old ones break them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from lockgate.discover.finding import Finding, Mend
from lockgate.discover.survey import Survey, Table
from lockgate.safety.finding import Severity
from lockgate.safety.probes.asking import Answer, Looked, Probe, source
from lockgate.safety.probes.keys import orphans
from lockgate.safety.probes.rows import nulls, violating
from lockgate.safety.records import Constraint
from lockgate.sql.ddl import ident

_KINDS = {"c": "Check", "f": "Foreign key", "n": "Not-null constraint"}


def found(survey: Survey) -> Iterator[Finding]:
    """Each constraint that is not validated, or not enforced."""
    by_oid = {table.relation.oid: table for table in survey.tables}
    for constraint in survey.facts.constraints:
        table = by_oid.get(constraint.relation)
        if table is None or constraint.validated or constraint.parent or constraint.type not in _KINDS:
            continue
        probe = _probe(survey, table, constraint)
        if probe is None:
            continue
        answer = _answer(survey, probe)
        if answer.looked is Looked.NOT:
            survey.skip(f"the rows that break {constraint.name} of {table.label}", answer.why)
        yield _finding(survey, table, constraint, probe, answer)


def _probe(survey: Survey, table: Table, constraint: Constraint) -> Probe | None:
    facts, relation = survey.facts, table.relation
    columns = facts.names_of(relation.oid, constraint.columns)
    if constraint.type == "c" and constraint.expression:
        return replace(violating(facts, relation, constraint.expression), columns=columns)
    if constraint.type == "n":
        return nulls(facts, relation, columns)
    parent = facts.relations.get(constraint.referenced)
    if constraint.type != "f" or parent is None:
        return None
    there = facts.names_of(parent.oid, constraint.referenced_columns)
    return orphans(facts, relation, columns, parent, there, match_full=constraint.match_full)


def _answer(survey: Survey, probe: Probe) -> Answer:
    left = survey.left
    if left <= 0:
        return Answer(Looked.NOT, why="the time was up")
    survey.prober.limit = timedelta(seconds=max(0.1, left / 4))
    return survey.prober.ask(probe)


def _finding(survey: Survey, table: Table, constraint: Constraint, probe: Probe, answer: Answer) -> Finding:
    columns = survey.facts.names_of(table.relation.oid, constraint.columns)
    lost = answer.looked is not Looked.NOT and answer.found > 0
    code = "DB402" if lost and constraint.type == "f" else "DB404"
    if answer.looked is Looked.NOT:
        rows = "how many rows break it was not looked at"
    elif answer.found:
        rows = f"{answer.count} break{'s' if answer.found == 1 else ''} it"
    else:
        rows = "no row breaks it" if answer.looked is Looked.EXACT else "no row of a sample breaks it"
    validate = f"ALTER TABLE {table.sql} VALIDATE CONSTRAINT {ident(constraint.name)};"
    state = "not validated" if constraint.enforced else "not enforced"
    first = f"the rows of {table.label} that break {constraint.name} have to be mended" if answer.found else ""
    return Finding(
        code,
        table.label,
        columns,
        f"{_KINDS[constraint.type]} {constraint.name} of {table.label} ({', '.join(columns)}) is {state}, and {rows}.",
        survey.text(probe.count(source(table.relation, probe.alias))),
        Mend(f"{first.capitalize()}; then {validate}" if first else validate, first=first)
        if constraint.enforced
        else Mend("Enforce it, or drop it."),
        count=answer.found if answer.looked is not Looked.NOT else None,
        of=answer.rows or None,
        exact=answer.looked is Looked.EXACT,
        basis=str(answer),
        examples=answer.examples,
        severity=Severity.HIGH if lost else None,
        subject=constraint.name,
    )
