"""What was found, for programs and as a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lockgate.discover.finding import Finding
from lockgate.discover.run import Outcome
from lockgate.safety.database import amount
from lockgate.safety.finding import Severity


def as_object(outcome: Outcome) -> dict[str, Any]:
    """What ``--format json`` prints."""
    return {
        "database": outcome.database,
        "server": outcome.version,
        "seconds": round(outcome.seconds, 2),
        "findings": [_object(finding) for finding in outcome.findings],
        "tables": [
            {
                "table": each.table,
                "rows": each.rows,
                "exact": each.exact,
                "values": each.values,
                "bytes": {"table": each.heap, "indexes": each.indexes, "toast": each.toast},
            }
            for each in outcome.tables
        ],
        "not_looked": outcome.skipped,
    }


def _object(finding: Finding) -> dict[str, Any]:
    mend = finding.mend
    steps: dict[str, Any] = {}
    if mend.analyze:
        steps["analyze"] = [mend.analyze]
    if mend.dedupe:
        table, by, keep = mend.dedupe
        steps["dedupe"] = {"table": table, "by": list(by), "keep": list(keep)}
    if mend.constraint:
        steps["constraint"] = mend.constraint
    if mend.index:
        steps["index"] = mend.index
    return {
        "code": finding.code,
        "name": finding.kind.name,
        "severity": str(finding.weight),
        "table": finding.table,
        "columns": list(finding.columns),
        "subject": finding.subject or None,
        "what": finding.what,
        "count": finding.count,
        "of": finding.of,
        "exact": finding.exact,
        "basis": finding.basis,
        "query": finding.query,
        "examples": [list(row) for row in finding.examples],
        "mend": mend.said,
        "steps": steps,
        "first": mend.first or None,
    }


def as_markdown(outcome: Outcome) -> str:
    """A page: the tables, the findings with their queries, what was not looked at."""
    lines = [
        f"# Discovery of {_cell(outcome.database)}",
        "",
        f"{summary(outcome)} Nothing was changed.",
        "",
        "| table | rows | table | indexes | TOAST |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for each in outcome.tables:
        rows = f"{'' if each.exact else 'about '}{each.rows:,}"
        sizes = " | ".join(amount(size) for size in (each.heap, each.indexes, each.toast))
        lines.append(f"| {_cell(each.table)} | {rows} | {sizes} |")
    for severity in Severity:
        found = [finding for finding in outcome.findings if finding.weight is severity]
        if found:
            lines += ["", f"## {str(severity).capitalize()}"]
            lines += [line for finding in found for line in _section(finding)]
    if outcome.skipped:
        lines += ["", "## Not looked at", "", *(f"- {_cell(text)}" for text in outcome.skipped)]
    return "\n".join(lines)


def _section(finding: Finding) -> Iterator[str]:
    yield from ("", f"### {finding.code} {finding.kind.name}: {place(finding)}", "", _plain(finding.what), "")
    yield f"{_basis(finding)}. {_plain(finding.mend.said)}"
    if finding.examples:
        yield from ("", f"For example: {_plain(shown(finding))}.")
    fence = "`" * max(3, 1 + max((len(run) for run in _ticks(finding.query)), default=0))
    yield from ("", f"{fence}sql", finding.query, fence)


def summary(outcome: Outcome) -> str:
    """How much was looked at and found, in a sentence."""
    counts = [
        f"{number} {severity}"
        for severity in Severity
        if (number := sum(finding.weight is severity for finding in outcome.findings))
    ]
    number = len(outcome.findings)
    return (
        f"PostgreSQL {outcome.version}, {len(outcome.tables):,} table{'' if len(outcome.tables) == 1 else 's'}, "
        f"{number} finding{'' if number == 1 else 's'}{': ' if counts else ''}{', '.join(counts)}; "
        f"it took {outcome.seconds:.1f} s."
    )


def place(finding: Finding) -> str:
    """The table and its columns, or what it is about, for people."""
    return f"{finding.table} ({', '.join(finding.columns)})" if finding.columns else finding.table


def shown(finding: Finding) -> str:
    """The keys of the examples."""
    return "; ".join(", ".join("NULL" if part is None else part for part in row) for row in finding.examples)


def _basis(finding: Finding) -> str:
    return f"{'Exact' if finding.exact else 'Estimated'}: {finding.basis}"


def _ticks(text: str) -> list[str]:
    return [run for run in "".join(sign if sign == "`" else " " for sign in text).split() if run]


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|").replace("\n", " ")


def _plain(text: str) -> str:
    """Names are the database's, and must not become marks of the page."""
    for sign in ("\\", "`", "*", "_", "<", "["):
        text = text.replace(sign, f"\\{sign}")
    return text
