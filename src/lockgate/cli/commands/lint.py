"""``lockgate lint``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockgate.cli import context, findings
from lockgate.cli.output import Output
from lockgate.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from lockgate.lint.run import Outcome
    from lockgate.safety.rule import Rule


@click.command("lint")
@findings.paths
@findings.told
@click.option("--pg", "major", type=click.IntRange(14, 18), default=18, show_default=True, help="The server's version.")
@click.option("--select", metavar="CODES", multiple=True, help="Look for these only: LG101, or LG1 for a family.")
@click.option("--ignore", metavar="CODES", multiple=True, help="Do not look for these.")
@findings.read
@click.option("--rules", "list_rules", is_flag=True, help="List all rules, and do nothing else.")
@click.option("--explain", metavar="CODE", help="Tell all about a rule, and do nothing else.")
@findings.no_color
def command(
    paths: tuple[Path, ...],
    output_format: str,
    fail_on: str,
    major: int,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    tool: str | None,
    assume_in_transaction: bool,
    list_rules: bool,
    explain: str | None,
    no_color: bool,
) -> int:
    """Find hazards in SQL by its text, without a database.

    PATHS are .sql files, folders of migrations of any tool that Lockgate knows, other folders with .sql files, and
    plans. Without any it is the current folder. What only the catalog or the rows can tell is not looked at; each
    finding says what that is.

    \b
    Example:
      lockgate lint migrations/ --pg 15
      lockgate lint V7__orders.sql --format github --fail-on medium
      lockgate lint --explain LG101
    """
    if list_rules or explain is not None:
        return _tell(Output("json" if output_format == "json" else "text", no_color), explain)
    outcome = _looked(paths or (Path(),), select, ignore, tool, assume_in_transaction, major)
    note = "Only the text was read. What the catalog and the rows would tell was not looked at."
    return findings.tell(outcome, note, output_format=output_format, fail_on=fail_on, no_color=no_color)


def _looked(
    paths: tuple[Path, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    tool: str | None,
    wrapped: bool,
    major: int,
) -> Outcome:
    from lockgate.lint.run import chosen, lint
    from lockgate.lint.sources import find

    wanted = chosen(_codes(select), _codes(ignore))
    return lint(find(paths, context.online, tool=tool, wrapped=wrapped), wanted=wanted, major=major)


def _codes(given: tuple[str, ...]) -> list[str]:
    """:raises UsageError: for what no rule's code begins with."""
    from lockgate.safety.registry import RULES

    codes = [code.strip().upper() for text in given for code in text.split(",") if code.strip()]
    for code in codes:
        if not any(known.startswith(code) for known in RULES):
            raise UsageError(f"There is no rule {code}", hint="`lockgate lint --rules` lists them.")
    return codes


def _tell(output: Output, code: str | None) -> int:
    from lockgate.safety.live.answers import FAMILIES, RULES

    if code is None:
        if output.json:
            output.object({"rules": [_object(rule) for rule in RULES.values()]})
            return ExitCode.DONE
        for title, rules in FAMILIES.items():
            output.line(title, "title")
            for rule in rules:
                output.line(f"  {rule.code}  {rule.severity:<6}  {rule.name}: {rule.title}")
        return ExitCode.DONE
    if code.upper() not in RULES:
        raise UsageError(f"There is no rule {code}", hint="`lockgate lint --rules` lists them.")
    rule = RULES[code.upper()]
    if output.json:
        output.object(_object(rule))
        return ExitCode.DONE
    output.line(f"{rule.code} {rule.name} ({rule.severity})", "title")
    output.line(f"{rule.title}.\n\n{rule.hazard}\n\nDo: {rule.instead}")
    for tier, looked in rule.looks.items():
        output.line(f"The {'rows tell' if tier == 'data' else 'catalog tells'}: {looked}.")
    return ExitCode.DONE


def _object(rule: Rule) -> dict[str, Any]:
    return {
        "code": rule.code,
        "name": rule.name,
        "severity": str(rule.severity),
        "title": rule.title,
        "hazard": rule.hazard,
        "instead": rule.instead,
        "tiers": [str(tier) for tier in rule.tiers],
    }
