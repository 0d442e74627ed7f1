"""The demo of the life graph: Alembic's revisions come into a database whose application goes on storing documents."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from lockgate.demo.options import DemoOptions
from lockgate.demo.result import PlainResult
from lockgate.demo.stage import Stage, sized, staged
from lockgate.engine.clock import Clock, SystemClock
from lockgate.engine.context import Progress, Silent
from lockgate.report import collect
from lockgate.systems import import_system

SYSTEM = "life_graph"
_BEFORE_BACKUP, _BEFORE_USE = "foundation", "links"
_PROVEN = ("public.documents",)
_SOUGHT = "Celine Fisher"
_POLL_SECONDS = 0.05
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
    expected = sized(lambda: import_system(SYSTEM, "counts").counts(options.scale), "0.1")
    with staged(options, SYSTEM, clock, progress, stop) as stage:
        return _Demo(options, stage, expected).run()


@dataclass(slots=True)
class _Demo:
    options: DemoOptions
    stage: Stage
    expected: Any

    def run(self) -> PlainResult:
        stage = self.stage
        generator = import_system(SYSTEM, "generate")
        scale, seed = self.options.scale, self.options.seed
        with stage.timed("generate"), self._connected() as conn:
            stage.say(f"making the database of before at scale {scale:g} in {stage.database.place}")
            generator.generate(conn, scale, seed, report=lambda done: stage.say(f"  {done}"))
        with stage.timed("plan"), self._application() as application:
            stage.apply(_BEFORE_BACKUP)
            stage.back_up(_PROVEN)
            stage.apply(_BEFORE_USE)
            application.next_release.set()
            with self._connected() as conn:
                stage.say("a year of use goes into the new tables")
                generator.fill(conn, scale, seed, report=lambda done: stage.say(f"  {done}"))
            while application.stored_since < _ENOUGH:
                stage.pause(_POLL_SECONDS)
            stage.apply()
        with stage.timed("verify"):
            failed = tuple(stage.check_again())
            with self._connected() as conn:
                found = import_system(SYSTEM, "search").find_parties(conn, _SOUGHT, 1)
                lost = application.lost(conn, stored=True)
                differences = tuple(self._differences(conn, application))
                report = collect(conn, stage.name, show_values=True)  # all of them were made up
        accounts = [part.accounting for part in report.mappings if part.accounting is not None]
        return stage.result(
            self.options,
            report,
            system="life-graph",
            acknowledged=len(application.acknowledged),
            failed=len(application.failures),
            lost=lost,
            checks_failed=failed,
            figures={
                "documents of before": self.expected.documents,
                "documents filled in place": sum(account.migrated for account in accounts),
                f"found for {_SOUGHT}": f"{found[0].name} ({found[0].score:.2f})" if found else "nobody",
            },
            differences=(*differences, *application.failures[:20]),
        )

    def _differences(self, conn: Any, application: Any) -> Iterator[str]:
        wanted = {**self.expected.as_parameters()}
        wanted["documents"] += len(application.acknowledged)
        for table, rows in wanted.items():
            found = conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()[0]
            if found != rows:
                yield f"rows of {table}: {found}, not {rows}"

    def _connected(self) -> psycopg.Connection[Any]:
        """As the application connects: with the settings of the database, and not counted as Lockgate's."""
        return psycopg.connect(self.stage.database.dsn, autocommit=True)

    @contextmanager
    def _application(self) -> Iterator[Any]:
        """The application of before, until it is told that its next release is there."""
        end = threading.Event()
        conn = self._connected()
        application = import_system(SYSTEM, "application").Application(conn)
        thread = threading.Thread(target=application.run, args=(end,), name="lockgate-demo-application", daemon=True)
        self.stage.say("the application stores documents")
        thread.start()
        try:
            yield application
        finally:
            end.set()
            thread.join()
            conn.close()
