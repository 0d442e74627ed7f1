"""``lockgate report``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from lockgate.cli import context, options
from lockgate.cli.output import Output
from lockgate.errors import UsageError


@click.command("report")
@options.plan
@options.database
@click.option(
    "--output",
    "-o",
    "files",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write to this file, JSON if its name ends in .json; may be repeated.",
)
@click.option("--show-values", is_flag=True, help="Also show values of rows: example keys, rows that did not arrive.")
@options.output
def command(
    plan: Path | None, database: str | None, files: tuple[Path, ...], show_values: bool, output: Output
) -> None:
    """Write the report from the ledger.

    Markdown, or JSON with --format json. Every number names the ledger's entry that it was read from, with the
    query that produced it and when.

    \b
    Example:
      lockgate report my-plan --output report.md --output report.json
    """
    from lockgate.report import as_json, collect
    from lockgate.report.markdown import render

    with context.sessions(database).open("report") as conn:
        context.warn_of_copy(conn)
        report = collect(conn, context.plan_name(plan, conn), show_values=show_values)
    if not files:
        output.object(as_json(report)) if output.json else output.line(render(report).rstrip("\n"))
        return
    for file in files:
        text = json.dumps(as_json(report), indent=2, ensure_ascii=False) + "\n"
        _write(file, text if file.suffix == ".json" else render(report), private=show_values)
    if output.json:
        output.object({"plan": report.plan, "files": [str(file) for file in files], "head": report.head})
    else:
        output.line(f"Wrote {', '.join(str(file) for file in files)}.")


def _write(file: Path, text: str, *, private: bool) -> None:
    try:
        file.touch(mode=0o600 if private else 0o666)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError("The report cannot be written", where=str(file), why=error.strerror) from None
