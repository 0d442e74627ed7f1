"""Where the demos' things go: the folder, the database, and the report."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager
from pathlib import Path

from lockgate.demo.database import DemoDatabase, on_own_server, on_server
from lockgate.demo.options import DemoOptions
from lockgate.engine.address import resolve
from lockgate.engine.clock import Clock
from lockgate.engine.context import Progress
from lockgate.errors import UsageError
from lockgate.report import as_json
from lockgate.report.markdown import render
from lockgate.report.model import Report


def folder(options: DemoOptions, clock: Clock) -> Path:
    """Where the report and the journal go, without a journal in it.

    :raises UsageError: if it cannot be made.
    """
    path = options.folder or Path.cwd() / f"demo-{clock.now():%Y%m%d-%H%M%S}"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError("The demo's folder cannot be made", where=str(path), why=error.strerror) from None
    (path / "journal.jsonl").unlink(missing_ok=True)
    return path


def database(options: DemoOptions, system: str, progress: Progress) -> AbstractContextManager[DemoDatabase]:
    """A database for a system, on the server that was named or on one that is started.

    :raises UsageError: if the address cannot be read.
    """
    if options.database is not None:
        return on_server(resolve(options.database, os.environ), options.keep)
    progress.event("demo: starting a PostgreSQL server")
    return on_own_server(options.keep, system)


def write(report: Report, into: Path) -> tuple[Path, Path]:
    """Write the report as Markdown and as JSON; the files."""
    markdown, plain = into / "report.md", into / "report.json"
    markdown.write_text(render(report), encoding="utf-8")
    plain.write_text(json.dumps(as_json(report), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return markdown, plain
