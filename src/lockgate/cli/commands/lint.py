"""``lockgate lint``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockgate.cli.output import Output
from lockgate.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from lockgate.lint.run import Outcome
    from lockgate.safety.finding import Finding, Severity
    from lockgate.safety.rule import Rule

_STYLES = {"high": "bad", "medium": "warn", "low": "dim"}


@click.command("lint")
@click.argument("paths", metavar="[PATHS]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "github", "sarif", "junit"]),
    default="text",
    show_default=True,
    help="For people, for programs, for pull requests, for code scanning, for test reports.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["high", "medium", "low", "never"]),
    default="high",
    show_default=True,
    help="Exit with 1 if there is a finding of this severity, or a worse one.",
)
@click.option("--pg", "major", type=click.IntRange(14, 18), default=18, show_default=True, help="The server's version.")
@click.option("--select", metavar="CODES", multiple=True, help="Look for these only: LG101, or LG1 for a family.")
@click.option("--ignore", metavar="CODES", multiple=True, help="Do not look for these.")
@click.option(
    "--tool", metavar="NAME", help="Whose folders they are, such as sqlx or flyway; else it is told from them."
)
@click.option("--assume-in-transaction", is_flag=True, help="Loose files are run in a transaction (psql -1).")
@click.option("--rules", "list_rules", is_flag=True, help="List all rules, and do nothing else.")
@click.option("--explain", metavar="CODE", help="Tell all about a rule, and do nothing else.")
@click.option("--no-color", is_flag=True, help="Never colour; NO_COLOR in the environment does the same.")
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
    from lockgate.safety.finding import Severity

    output = Output("json" if output_format == "json" else "text", no_color)
    if list_rules or explain is not None:
        return _tell(output, explain)
    outcome = _looked(paths or (Path(),), select, ignore, tool, assume_in_transaction, major)
    limit = None if fail_on == "never" else Severity(fail_on)
    if output_format == "text":
        show(output, outcome, "Only the text was read. What the catalog and the rows would tell was not looked at.")
    else:
        write(output_format, outcome, limit)
    return ExitCode.FAILED if outcome.fails(limit) else ExitCode.DONE


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
    return lint(find(paths, tool=tool, wrapped=wrapped), wanted=wanted, major=major)


def _codes(given: tuple[str, ...]) -> list[str]:
    """:raises UsageError: for what no rule's code begins with."""
    from lockgate.safety.registry import RULES

    codes = [code.strip().upper() for text in given for code in text.split(",") if code.strip()]
    for code in codes:
        if not any(known.startswith(code) for known in RULES):
            raise UsageError(f"There is no rule {code}", hint="`lockgate lint --rules` lists them.")
    return codes


def write(form: str, outcome: Outcome, limit: Severity | None) -> None:
    """Print what was found for programs."""
    import json

    from lockgate.lint import formats

    match form:
        case "json":
            text = json.dumps(formats.as_object(outcome), indent=2, ensure_ascii=False)
        case "github":
            text = formats.as_github(outcome)
        case "sarif":
            text = formats.as_sarif(outcome)
        case _:
            text = formats.as_junit(outcome, limit)
    if text:
        click.echo(text)


def _line(output: Output, text: str = "", style: str | None = None) -> None:
    """Print a line as it is: findings are of files and of a catalog, so there is no password to look for."""
    click.echo(output.styled(text, style))


def show(output: Output, outcome: Outcome, note: str) -> None:
    """Print what was found for people.

    :param note: what was looked at.
    """
    from lockgate.safety.finding import Severity

    for finding in outcome.findings:
        _show_one(output, finding)
    for text in outcome.skipped:
        _line(output, f"Not looked at: {text}.", "dim")
    counts = [f"{count} {severity}" for severity in Severity if (count := outcome.count(severity))]
    said = f": {', '.join(counts)}" if counts else ""
    ignored = f", {outcome.ignored} ignored" if outcome.ignored else ""
    _line(
        output,
        f"{_number(len(outcome.findings), 'finding')}{ignored} in {_number(outcome.statements, 'statement')} of "
        f"{_number(len(set(outcome.files)), 'file')}{said}.",
    )
    _line(output, note, "dim")


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _show_one(output: Output, finding: Finding) -> None:
    severity = output.styled(str(finding.severity), _STYLES[finding.severity])
    _line(output, f"{finding.where}: {severity} {finding.code} {finding.name}")
    _line(output, _under("", finding.what))
    _line(output, _under("Why: ", finding.why))
    if finding.rewrite:
        _line(output, _under("Do: ", finding.rewrite))
    if finding.not_looked:
        _line(output, _under("Not looked at: ", "; ".join(finding.not_looked) + "."), "dim")
    _line(output)


def _under(label: str, text: str) -> str:
    return f"  {label}" + text.replace("\n", "\n  " + " " * len(label))


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
