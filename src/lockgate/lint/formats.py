"""What was found, in the forms that other programs read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from lockgate import __version__
from lockgate.lint.run import Outcome, by_file
from lockgate.safety.finding import Finding, Severity
from lockgate.safety.registry import RULES
from lockgate.safety.rule import Rule

_GITHUB = {Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "notice"}
_SARIF = {Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note"}
_SCORES = {Severity.HIGH: "8.0", Severity.MEDIUM: "5.0", Severity.LOW: "2.0"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def place(finding: Finding) -> tuple[str, int, int]:
    """File, line and column."""
    file, line, column = finding.where.rsplit(":", 2)
    return file, int(line), int(column)


def as_object(outcome: Outcome) -> dict[str, Any]:
    """What ``--format json`` prints."""
    return {
        "findings": [finding_object(finding) for finding in outcome.findings],
        "files": len(outcome.files),
        "statements": outcome.statements,
        "ignored": outcome.ignored,
        "skipped": outcome.skipped,
        "not_looked": ["catalog", "data"],
    }


def finding_object(finding: Finding) -> dict[str, Any]:
    """A finding, with its place taken apart."""
    file, line, column = place(finding)
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": str(finding.severity),
        "tier": str(finding.tier),
        "file": file,
        "line": line,
        "column": column,
        "what": finding.what,
        "why": finding.why,
        "rewrite": finding.rewrite,
        "not_looked": list(finding.not_looked),
    }


def sentences(finding: Finding) -> str:
    """A finding as one text."""
    parts = [finding.what, finding.why]
    if finding.rewrite:
        parts.append(f"Do: {finding.rewrite}")
    if finding.not_looked:
        parts.append(f"Not looked at: {'; '.join(finding.not_looked)}.")
    return "\n".join(parts)


def as_github(outcome: Outcome) -> str:
    """Commands of GitHub's workflows, which become notes at the lines of a pull request."""
    lines = []
    for finding in outcome.findings:
        file, line, column = place(finding)
        properties = {"file": file, "line": line, "col": column, "title": f"{finding.code} {finding.name}"}
        words = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
        lines.append(f"::{_GITHUB[finding.severity]} {words}::{_data(sentences(finding))}")
    return "\n".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def as_sarif(outcome: Outcome) -> str:
    """SARIF 2.1.0, as code scanning takes it."""
    rules = list(RULES.values())
    numbers = {rule.code: number for number, rule in enumerate(rules)}
    results = [_result(finding, numbers) for finding in outcome.findings]
    driver = {"name": "Lockgate", "version": __version__, "rules": [_sarif_rule(rule) for rule in rules]}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _sarif_rule(rule: Rule) -> Mapping[str, Any]:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.hazard},
        "help": {"text": rule.instead},
        "defaultConfiguration": {"level": _SARIF[rule.severity]},
        "properties": {"security-severity": _SCORES[rule.severity], "precision": "high"},
    }


def _result(finding: Finding, numbers: Mapping[str, int]) -> Mapping[str, Any]:
    file, line, column = place(finding)
    artifact = {"uri": file.replace("\\", "/").removeprefix("./")}
    region = {"startLine": line, "startColumn": column}
    return {
        "ruleId": finding.code,
        "ruleIndex": numbers[finding.code],
        "level": _SARIF[finding.severity],
        "message": {"text": sentences(finding)},
        "locations": [{"physicalLocation": {"artifactLocation": artifact, "region": region}}],
    }


def as_junit(outcome: Outcome, fail: Severity | None) -> str:
    """JUnit's XML: a suite for each file, a case for each finding; files without any have one that passes.

    :param fail: from which severity on a finding is a failure.
    """
    found = by_file(outcome.findings)
    suites = [_suite(file, found.get(file, []), fail) for file in dict.fromkeys(outcome.files)]
    return "\n".join(
        ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites name="lockgate lint">', *suites, "</testsuites>"]
    )


def _suite(file: str, findings: list[Finding], fail: Severity | None) -> str:
    order = list(Severity)
    failing = [each for each in findings if fail is not None and order.index(each.severity) <= order.index(fail)]
    lines = [f'  <testsuite name={_attribute(file)} tests="{len(findings) or 1}" failures="{len(failing)}">']
    if not findings:
        lines.append(f'    <testcase name="no findings" classname={_attribute(file)}/>')
    for finding in findings:
        name = f"{finding.code} {finding.name} at {finding.where.split(':', file.count(':') + 1)[-1]}"
        lines.append(f"    <testcase name={_attribute(name)} classname={_attribute(file)}>")
        text = f"{finding.where}: {sentences(finding)}"
        if finding in failing:
            kind = _attribute(str(finding.severity))
            lines.append(f"      <failure message={_attribute(finding.what)} type={kind}>{_text(text)}</failure>")
        else:
            lines.append(f"      <system-out>{_text(text)}</system-out>")
        lines.append("    </testcase>")
    return "\n".join([*lines, "  </testsuite>"])


def _attribute(text: str) -> str:
    return quoteattr(_printable(text))


def _text(text: str) -> str:
    return escape(_printable(text))


def _printable(text: str) -> str:
    """Without the control characters that XML has no form for."""
    return "".join(
        character if character >= " " or character in "\n\t" else "\N{REPLACEMENT CHARACTER}" for character in text
    )
