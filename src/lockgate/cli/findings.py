"""Findings of hazards on the command line: the options of the commands that look for them, and how they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lockgate.cli import options
from lockgate.cli.output import Output
from lockgate.errors import ExitCode

if TYPE_CHECKING:
    from lockgate.lint.run import Outcome
    from lockgate.safety.finding import Finding, Severity

F = TypeVar("F", bound=Callable[..., Any])

STYLES = {"high": "bad", "medium": "warn", "low": "dim"}

paths: Callable[[F], F] = click.argument("paths", metavar="[PATHS]...", nargs=-1, type=click.Path(path_type=Path))
"""What is looked at; the command gets ``paths: tuple[Path, ...]``."""


def told(function: F) -> F:
    """How it is told, and when it is a failure: ``output_format: str`` and ``fail_on: str``."""
    form = click.option(
        "--format",
        "output_format",
        type=click.Choice(["text", "json", "github", "sarif", "junit"]),
        default="text",
        show_default=True,
        help="For people, for programs, for pull requests, for code scanning, for test reports.",
    )
    fail_on = click.option(
        "--fail-on",
        type=click.Choice(["high", "medium", "low", "never"]),
        default="high",
        show_default=True,
        help="Exit with 1 if there is a finding of this severity, or a worse one.",
    )
    return form(fail_on(function))


def read(function: F) -> F:
    """How files are run: ``tool: str | None`` and ``assume_in_transaction: bool``."""
    tool = click.option(
        "--tool", metavar="NAME", help="Whose folders they are, such as sqlx or flyway; else it is told from them."
    )
    wrapped = click.option(
        "--assume-in-transaction", is_flag=True, help="Loose files are run in a transaction (psql -1)."
    )
    return tool(wrapped(function))


time_limit: Callable[[F], F] = click.option(
    "--time-limit",
    type=options.DURATION,
    default="30s",
    show_default=True,
    help="How long one query of rows may take; what takes longer is sampled, or said to be not looked at.",
)
"""``time_limit: timedelta``."""
no_color: Callable[[F], F] = click.option(
    "--no-color", is_flag=True, help="Never colour; NO_COLOR in the environment does the same."
)
"""``no_color: bool``."""


def tell(outcome: Outcome, note: str, *, output_format: str, fail_on: str, no_color: bool) -> ExitCode:
    """Print what was found; the exit code.

    :param note: what was looked at, for people.
    """
    from lockgate.safety.finding import Severity

    limit = None if fail_on == "never" else Severity(fail_on)
    if output_format == "text":
        _show(Output("text", no_color), outcome, note)
    else:
        _write(output_format, outcome, limit)
    return ExitCode.FAILED if outcome.fails(limit) else ExitCode.DONE


def _write(form: str, outcome: Outcome, limit: Severity | None) -> None:
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


def _show(output: Output, outcome: Outcome, note: str) -> None:
    """Print what was found for people, as it is: there is no password in files and in a catalog to look for.

    :param note: what was looked at.
    """
    from lockgate.safety.finding import Severity

    lines = [line for finding in outcome.findings for line in _finding(output, finding)]
    lines += [output.styled(f"Not looked at: {text}.", "dim") for text in outcome.skipped]
    counts = [f"{count} {severity}" for severity in Severity if (count := outcome.count(severity))]
    said = f": {', '.join(counts)}" if counts else ""
    ignored = f", {outcome.ignored} ignored" if outcome.ignored else ""
    lines.append(
        f"{_number(len(outcome.findings), 'finding')}{ignored} in {_number(outcome.statements, 'statement')} of "
        f"{_number(len(set(outcome.files)), 'file')}{said}."
    )
    click.echo("\n".join([*lines, output.styled(note, "dim")]))


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _finding(output: Output, finding: Finding) -> Iterator[str]:
    severity = output.styled(str(finding.severity), STYLES[finding.severity])
    yield f"{finding.where}: {severity} {finding.code} {finding.name}"
    yield _under("", finding.what)
    yield _under("Why: ", finding.why)
    if finding.rewrite:
        yield _under("Do: ", finding.rewrite)
    if finding.not_looked:
        yield output.styled(_under("Not looked at: ", "; ".join(finding.not_looked) + "."), "dim")
    yield ""


def _under(label: str, text: str) -> str:
    return f"  {label}" + text.replace("\n", "\n  " + " " * len(label))
