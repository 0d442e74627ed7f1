"""What the demos do alike: where things go, bringing the plan on, looking again, and the report."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from lockgate.demo.database import DemoDatabase, on_own_server, on_server
from lockgate.demo.options import DemoOptions
from lockgate.engine import runner
from lockgate.engine.address import resolve
from lockgate.engine.clock import Clock
from lockgate.engine.context import Progress
from lockgate.engine.run import Outcome
from lockgate.engine.session import Sessions
from lockgate.errors import Interrupted, UsageError
from lockgate.plan.load import LoadedPlan
from lockgate.report import as_json
from lockgate.report.markdown import render
from lockgate.report.model import Report
from lockgate.verification import record, verify


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


@dataclass(frozen=True, slots=True)
class Plan:
    """A demo's plan in its database.

    :param stop: set, and what runs is ended.
    """

    loaded: LoadedPlan
    sessions: Sessions
    clock: Clock
    progress: Progress
    stop: threading.Event

    @property
    def name(self) -> str:
        """Of the plan."""
        return self.loaded.plan.plan

    def apply(self, to: str | None = None) -> None:
        """Bring it to the end of a phase.

        :raises Interrupted: if it was stopped.
        :raises LockgateError: if it cannot go on.
        """
        done = runner.apply(self.loaded, self.sessions, to=to, progress=self.progress, clock=self.clock, stop=self.stop)
        if done.outcome is Outcome.INTERRUPTED:
            raise Interrupted("The demo was stopped", where=done.why)

    def check_again(self, only: str | None = None) -> Iterator[str]:
        """Make the checks of a phase, or of all, once more, now that nobody writes; what failed, a sentence each.

        :raises Interrupted: if it was stopped.
        """
        for found in verify(
            self.loaded, self.sessions, only=only, progress=self.progress, clock=self.clock, stop=self.stop
        ):
            record(self.loaded, self.sessions, found)
            said = found.result.what if found.result else str(found.error)
            self.progress.event(f"demo: check: {'holds' if found.passed else 'FAILED'}: {said}")
            if not found.passed:
                yield said
        self.pause(0)

    def pause(self, seconds: float) -> None:
        """Let time pass.

        :raises Interrupted: if the demo is stopped meanwhile.
        """
        if self.clock.wait(self.stop, seconds):
            raise Interrupted("The demo was stopped")


def write(report: Report, into: Path) -> tuple[Path, Path]:
    """Write the report as Markdown and as JSON; the files."""
    markdown, plain = into / "report.md", into / "report.json"
    markdown.write_text(render(report), encoding="utf-8")
    plain.write_text(json.dumps(as_json(report), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return markdown, plain
