"""The demo of the salon: two databases, an assistant that writes, there, back and there again, and months that pass."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from lockgate.demo.database import beside, on_own_server, on_server
from lockgate.demo.options import DemoOptions
from lockgate.demo.result import PlainResult
from lockgate.engine import runner
from lockgate.engine.address import resolve
from lockgate.engine.clock import Clock, ForwardedClock, SystemClock
from lockgate.engine.context import Progress, Silent
from lockgate.engine.run import Outcome
from lockgate.engine.session import Sessions
from lockgate.errors import Interrupted, UsageError
from lockgate.plan.load import LoadedPlan, load_plan
from lockgate.report import as_json, collect
from lockgate.report.markdown import render
from lockgate.systems import import_system, system_folder
from lockgate.tending import tend
from lockgate.verification import record, verify

SYSTEM = "salon"
_ADDRESSES = ("OLD_DATABASE_URL", "OLD_DATABASE_WRITER_URL")
_LOADED = "load"  # the phase up to which the old service goes on meanwhile
_MONTHS = 3
_ARCHIVED = (
    "SELECT relname FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.to_regnamespace('archive') "
    "AND relkind = 'r' AND relname LIKE 'messages\\_%'"
)


def run(
    options: DemoOptions,
    progress: Progress | None = None,
    *,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
) -> PlainResult:
    """Run the demo; whether all went well is for ``holds`` of the result to say.

    :raises Interrupted: if it was stopped.
    :raises UsageError: if the options make no sense.
    :raises LockgateError: if a part of the demo could not run at all.
    """
    ours, progress, stop = ForwardedClock(clock or SystemClock()), progress or Silent(), stop or threading.Event()
    try:
        import_system(SYSTEM, "counts").counts(options.scale, options.messages)
    except ValueError as error:
        raise UsageError(str(error).capitalize(), hint="Try --scale 1.") from None
    given = None if options.database is None else resolve(options.database, os.environ)
    folder = options.folder or Path.cwd() / f"demo-{ours.now():%Y%m%d-%H%M%S}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError("The demo's folder cannot be made", where=str(folder), why=error.strerror) from None
    with ExitStack() as stack:
        keep = options.keep
        made = stack.enter_context(on_server(given, keep) if given else on_own_server(keep, SYSTEM))
        old = stack.enter_context(beside(made.dsn, keep))
        stack.enter_context(_told(old))
        return _Demo(options, progress, ours, stop, folder, made.dsn, old, made.kept).run()


@contextmanager
def _told(old: str) -> Iterator[None]:
    """Let the plan know where the old service is."""
    before = {name: os.environ.get(name) for name in _ADDRESSES}
    os.environ.update(dict.fromkeys(_ADDRESSES, old))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@dataclass(slots=True)
class _Demo:
    options: DemoOptions
    progress: Progress
    clock: ForwardedClock
    stop: threading.Event
    folder: Path
    new: str
    old: str
    kept: str | None
    seconds: dict[str, float] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def run(self) -> PlainResult:
        with self._timed("generate"):
            rows = self._generate()
        loaded = load_plan(system_folder(SYSTEM) / "plan")
        sessions = Sessions(self.new, loaded.plan.settings, self.clock)
        assistant = import_system(SYSTEM, "assistant").Assistant(self.old, self.new, self.clock.now)
        assistant.start()
        try:
            with self._timed("load"):
                self._apply(loaded, sessions, to=_LOADED)
            with self._held(assistant, "switch"):
                self._apply(loaded, sessions)
            self._written(assistant, "the new database", self.new)
            with self._held(assistant, "back"):
                self._say("back to the old service, with all that was written meanwhile")
                runner.rollback(loaded, sessions, to=_LOADED, progress=self.progress, clock=self.clock, stop=self.stop)
            self._written(assistant, "the old service", self.old)
            with self._held(assistant, "switch_again"):
                self._apply(loaded, sessions)
                self._look(assistant, self.new)
                failed = self._check_again(loaded, sessions)
            retired = self._months(loaded, sessions, assistant)
        finally:
            assistant.stop()
        self._look(assistant, self.new)
        figures = {"clients": rows.clients, "messages of the old service": rows.messages, "months retired": retired}
        return self._result(loaded, sessions, assistant, failed, figures)

    # --- parts ----------------------------------------------------------------------------------------------

    def _generate(self) -> Any:
        self._say(f"making the old service's database at scale {self.options.scale:g}")
        salon = import_system(SYSTEM, "generate")
        with psycopg.connect(self.new, autocommit=True) as conn:
            salon.prepare(conn)
        with psycopg.connect(self.old, autocommit=True) as conn:
            return salon.generate(conn, self.options.scale, self.options.seed, messages=self.options.messages)

    def _apply(self, loaded: LoadedPlan, sessions: Sessions, to: str | None = None) -> None:
        done = runner.apply(loaded, sessions, to=to, progress=self.progress, clock=self.clock, stop=self.stop)
        if done.outcome is Outcome.INTERRUPTED:
            raise Interrupted("The demo was stopped", where=done.why)

    def _check_again(self, loaded: LoadedPlan, sessions: Sessions) -> tuple[str, ...]:
        failed = []
        for found in verify(loaded, sessions, only=None, progress=self.progress, clock=self.clock, stop=self.stop):
            record(loaded, sessions, found)
            if not found.passed:
                failed.append(found.result.what if found.result else str(found.error))
        return tuple(failed)

    def _months(self, loaded: LoadedPlan, sessions: Sessions, assistant: Any) -> int:
        """Let months pass while the assistant writes; how many went into the archive."""
        assistant.stop()
        before, written, retired = self._count(), len(assistant.messages), 0
        assistant.start()
        for _ in range(_MONTHS):
            self._say("a month is let pass while the assistant writes")
            self.clock.forward(timedelta(days=31))
            found, _ = tend(loaded, sessions, progress=self.progress, clock=self.clock, stop=self.stop)
            retired += sum(len(each.retired) for each in found)
            self.differences += [trouble for each in found for trouble in each.troubles]
            self._pause()
        assistant.stop()
        wanted, has = before + len(assistant.messages) - written, self._count()
        if has != wanted:
            self.differences.append(f"{has} messages in the table and the archive, not {wanted}")
        return retired

    def _count(self) -> int:
        """Messages in the table and in the archive."""
        with psycopg.connect(self.new, autocommit=True) as conn:
            archived = [("archive", row[0]) for row in conn.execute(_ARCHIVED.encode())]
            counts = [
                conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*name))).fetchone()
                for name in (("public", "messages"), *archived)
            ]
        return sum(int(count[0]) for count in counts if count)

    def _result(
        self, loaded: LoadedPlan, sessions: Sessions, assistant: Any, failed: tuple[str, ...], figures: dict[str, Any]
    ) -> PlainResult:
        with sessions.open("demo") as conn:
            report = collect(conn, loaded.plan.plan, show_values=True)  # all of them were made up
        report_md, report_json = self.folder / "report.md", self.folder / "report.json"
        report_md.write_text(render(report), encoding="utf-8")
        report_json.write_text(json.dumps(as_json(report), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return PlainResult(
            system=SYSTEM,
            scale=self.options.scale,
            seed=self.options.seed,
            phases_done=report.phases_done,
            phases_planned=report.phases_planned,
            checks_failed=failed,
            unexplained_rows=sum(part.accounting.unexplained_rows for part in report.mappings if part.accounting),
            acknowledged_writes=len(assistant.messages),
            failed_writes=len(assistant.failures),
            lost_writes=len(set(self.lost)),
            figures=figures,
            differences=(*self.differences, *sorted(set(self.lost))[:20], *assistant.failures[:20]),
            seconds=self.seconds,
            report_md=report_md,
            report_json=report_json,
            kept=self.kept,
        )

    # --- little things --------------------------------------------------------------------------------------

    @contextmanager
    def _held(self, assistant: Any, name: str) -> Iterator[None]:
        """The assistant writes nothing in the block: the other database has no lock of ours."""
        assistant.stop()
        with self._timed(name):
            yield
        assistant.start()

    def _written(self, assistant: Any, name: str, dsn: str) -> None:
        """Let the assistant write for a while, and look for all that it has ever written."""
        self._say(f"the assistant writes to {name} for {self.options.after_seconds:g} s")
        written = len(assistant.messages)
        self._pause()
        assistant.stop()
        if len(assistant.messages) == written:
            self.differences.append(f"The assistant wrote nothing to {name}")
        self._look(assistant, dsn)
        assistant.start()

    def _look(self, assistant: Any, dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as conn:
            self.lost += import_system(SYSTEM, "assistant").lost(conn, assistant)

    def _pause(self) -> None:
        if self.clock.wait(self.stop, self.options.after_seconds):
            raise Interrupted("The demo was stopped")

    def _say(self, message: str) -> None:
        self.progress.event(f"demo: {message}")

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = self.clock.monotonic()
        yield
        self.seconds[name] = round(self.clock.monotonic() - start, 2)
