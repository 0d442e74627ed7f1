"""The demo of the life graph: Alembic's revisions come into a database whose application goes on storing documents."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lockgate.backup import record as backups
from lockgate.backup.make import make
from lockgate.backup.prove import prove
from lockgate.demo.database import DemoDatabase, on_own_server, on_server
from lockgate.demo.options import DemoOptions
from lockgate.demo.result import PlainResult
from lockgate.engine import runner
from lockgate.engine.address import resolve
from lockgate.engine.clock import Clock, SystemClock
from lockgate.engine.context import Progress, Silent
from lockgate.engine.run import Outcome
from lockgate.engine.session import Sessions
from lockgate.errors import Interrupted, UsageError
from lockgate.plan.load import LoadedPlan, load_plan
from lockgate.report import as_json, collect
from lockgate.report.markdown import render
from lockgate.systems import import_system, system_folder
from lockgate.verification import record, verify

SYSTEM = "life_graph"
NAME = "life-graph"
_BEFORE_BACKUP, _BEFORE_USE = "foundation", "links"
_PROVEN = ("public.documents",)
_SOUGHT = "Celine Fisher"
_ENOUGH = 10
"""Documents that the next release must have stored: the plan's last gate looks at the newest ten."""


def run(
    options: DemoOptions,
    progress: Progress | None = None,
    *,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
) -> PlainResult:
    """Run the demo; whether all went well is for ``holds`` of the result to say.

    :param stop: set it, and the demo ends early.
    :raises Interrupted: if it was stopped.
    :raises UsageError: if the options make no sense.
    """
    clock, progress, stop = clock or SystemClock(), progress or Silent(), stop or threading.Event()
    try:
        expected = import_system(SYSTEM, "counts").counts(options.scale)
    except ValueError as error:
        raise UsageError(str(error).capitalize(), hint="Try --scale 0.1.") from None
    dsn = None if options.database is None else resolve(options.database, os.environ)
    folder = options.folder or Path.cwd() / f"demo-{clock.now():%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True, exist_ok=True)
    with _database(dsn, options, progress) as made:
        return _Demo(options, progress, clock, stop, folder, made, expected).run()


def _database(dsn: str | None, options: DemoOptions, progress: Progress) -> AbstractContextManager[DemoDatabase]:
    if dsn is not None:
        return on_server(dsn, options.keep)
    progress.event("demo: starting a PostgreSQL server")
    return on_own_server(options.keep, SYSTEM)


@dataclass(slots=True)
class _Demo:
    options: DemoOptions
    progress: Progress
    clock: Clock
    stop: threading.Event
    folder: Path
    database: DemoDatabase
    expected: Any
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self) -> PlainResult:
        loaded = load_plan(system_folder(SYSTEM) / "plan")
        sessions = Sessions(self.database.dsn, loaded.plan.settings, self.clock)
        generator = import_system(SYSTEM, "generate")
        scale, seed = self.options.scale, self.options.seed
        with self._timed("generate"), sessions.open("demo", plan_sql=True) as conn:
            self._say(f"making the database of before at scale {scale:g} in {self.database.place}")
            generator.generate(conn, scale, seed, report=lambda stage: self._say(f"  {stage}"))
        with self._timed("plan"), self._application(sessions) as application:
            self._apply(loaded, sessions, to=_BEFORE_BACKUP)
            self._backup(loaded, sessions)
            self._apply(loaded, sessions, to=_BEFORE_USE)
            application.next_release.set()
            with sessions.open("demo", plan_sql=True) as conn:
                self._say("a year of use goes into the new tables")
                generator.fill(conn, scale, seed, report=lambda stage: self._say(f"  {stage}"))
            while application.stored_since < _ENOUGH:
                self._pause()
            self._apply(loaded, sessions)
        with self._timed("verify"):
            failed = self._check_again(loaded, sessions)
            with sessions.open("demo", plan_sql=True) as conn:
                found = import_system(SYSTEM, "search").find_parties(conn, _SOUGHT, 1)
                lost = application.lost(conn, stored=True)
                differences = tuple(self._differences(conn, application))
                report = collect(conn, loaded.plan.plan, show_values=True)  # all of them were made up
        report_md, report_json = self.folder / "report.md", self.folder / "report.json"
        report_md.write_text(render(report), encoding="utf-8")
        report_json.write_text(json.dumps(as_json(report), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        accounts = [part.accounting for part in report.mappings if part.accounting is not None]
        figures: dict[str, int | float | str] = {
            "documents of before": self.expected.documents,
            "documents filled in place": sum(account.migrated for account in accounts),
            f"found for {_SOUGHT}": f"{found[0].name} ({found[0].score:.2f})" if found else "nobody",
        }
        return PlainResult(
            system=NAME,
            scale=scale,
            seed=seed,
            phases_done=report.phases_done,
            phases_planned=report.phases_planned,
            checks_failed=failed,
            unexplained_rows=sum(account.unexplained_rows for account in accounts),
            acknowledged_writes=len(application.acknowledged),
            failed_writes=len(application.failures),
            lost_writes=lost,
            figures=figures,
            differences=differences,
            seconds=self.seconds,
            report_md=report_md,
            report_json=report_json,
            kept=self.database.kept,
        )

    def _differences(self, conn: Any, application: Any) -> Iterator[str]:
        wanted = {**self.expected.as_parameters()}
        wanted["documents"] += len(application.acknowledged)
        for table, rows in wanted.items():
            found = conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()[0]
            if found != rows:
                yield f"rows of {table}: {found}, not {rows}"

    @contextmanager
    def _application(self, sessions: Sessions) -> Iterator[Any]:
        """The application of before, until it is told that its next release is there."""
        end = threading.Event()
        conn = sessions.open("demo", plan_sql=True)
        application = import_system(SYSTEM, "application").Application(conn)
        thread = threading.Thread(target=application.run, args=(end,), name="lockgate-demo-application", daemon=True)
        self._say("the application stores documents")
        thread.start()
        try:
            yield application
        finally:
            end.set()
            thread.join()
            conn.close()

    def _backup(self, loaded: LoadedPlan, sessions: Sessions) -> None:
        plan = loaded.plan.plan
        made = make(sessions, self.folder / "backups", plan, patterns=_PROVEN, progress=self.progress)
        number = backups.keep(sessions, plan, made)
        backups.proven(sessions, plan, number, made, prove(made.folder, progress=self.progress))

    def _apply(self, loaded: LoadedPlan, sessions: Sessions, to: str | None = None) -> None:
        done = runner.apply(loaded, sessions, to=to, progress=self.progress, clock=self.clock, stop=self.stop)
        if done.outcome is Outcome.INTERRUPTED:
            raise Interrupted("The demo was stopped", where=done.why)

    def _check_again(self, loaded: LoadedPlan, sessions: Sessions) -> tuple[str, ...]:
        failed = []
        for found in verify(loaded, sessions, only=None, progress=self.progress, clock=self.clock, stop=self.stop):
            record(loaded, sessions, found)
            said = found.result.what if found.result else str(found.error)
            if not found.passed:
                failed.append(said)
        return tuple(failed)

    def _pause(self) -> None:
        if self.clock.wait(self.stop, 0.05):
            raise Interrupted("The demo was stopped")

    def _say(self, message: str) -> None:
        self.progress.event(f"demo: {message}")

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = self.clock.monotonic()
        yield
        self.seconds[name] = round(self.clock.monotonic() - start, 2)
