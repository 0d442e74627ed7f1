"""The demo of the salon: two databases, an assistant that writes, there, back and there again, and months that pass."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql

from lockgate.demo.database import beside
from lockgate.demo.options import DemoOptions
from lockgate.demo.result import PlainResult
from lockgate.demo.stage import Stage, sized, staged
from lockgate.engine.clock import Clock, ForwardedClock, SystemClock
from lockgate.engine.context import Progress, Silent
from lockgate.report import collect
from lockgate.systems import import_system
from lockgate.tending import tend

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
    sized(lambda: import_system(SYSTEM, "counts").counts(options.scale, options.messages), "1")
    with (
        staged(options, SYSTEM, ours, progress, stop) as stage,
        beside(stage.database.dsn, options.keep) as old,
        _told(old),
    ):
        return _Demo(options, stage, ours, old).run()


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
    stage: Stage
    clock: ForwardedClock
    old: str
    lost: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def run(self) -> PlainResult:
        stage = self.stage
        with stage.timed("generate"):
            rows = self._generate()
        assistant = import_system(SYSTEM, "assistant").Assistant(self.old, stage.database.dsn, self.clock.now)
        assistant.start()
        try:
            with stage.timed("load"):
                stage.apply(_LOADED)
            with self._held(assistant, "switch"):
                stage.apply()
            self._written(assistant, "the new database", stage.database.dsn)
            with self._held(assistant, "back"):
                stage.say("back to the old service, with all that was written meanwhile")
                stage.take_back(_LOADED)
            self._written(assistant, "the old service", self.old)
            with self._held(assistant, "switch_again"):
                stage.apply()
                self._look(assistant, stage.database.dsn)
                failed = tuple(stage.check_again())
            retired = self._months(assistant)
        finally:
            assistant.stop()
        self._look(assistant, stage.database.dsn)
        figures = {"clients": rows.clients, "messages of the old service": rows.messages, "months retired": retired}
        return self._result(assistant, failed, figures)

    # --- parts ----------------------------------------------------------------------------------------------

    def _generate(self) -> Any:
        self.stage.say(f"making the old service's database at scale {self.options.scale:g}")
        salon = import_system(SYSTEM, "generate")
        with psycopg.connect(self.stage.database.dsn, autocommit=True) as conn:
            salon.prepare(conn)
        with psycopg.connect(self.old, autocommit=True) as conn:
            return salon.generate(conn, self.options.scale, self.options.seed, messages=self.options.messages)

    def _months(self, assistant: Any) -> int:
        """Let months pass while the assistant writes; how many went into the archive."""
        stage = self.stage
        assistant.stop()
        before, written, retired = self._count(), len(assistant.messages), 0
        assistant.start()
        for _ in range(_MONTHS):
            stage.say("a month is let pass while the assistant writes")
            self.clock.forward(timedelta(days=31))
            found, _ = tend(stage.loaded, stage.sessions, progress=stage.progress, clock=self.clock, stop=stage.stop)
            retired += sum(len(each.retired) for each in found)
            self.differences += [trouble for each in found for trouble in each.troubles]
            stage.pause(self.options.after_seconds)
        assistant.stop()
        wanted, has = before + len(assistant.messages) - written, self._count()
        if has != wanted:
            self.differences.append(f"{has} messages in the table and the archive, not {wanted}")
        return retired

    def _count(self) -> int:
        """Messages in the table and in the archive."""
        with psycopg.connect(self.stage.database.dsn, autocommit=True) as conn:
            archived = [("archive", row[0]) for row in conn.execute(_ARCHIVED.encode())]
            counts = [
                conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*name))).fetchone()
                for name in (("public", "messages"), *archived)
            ]
        return sum(int(count[0]) for count in counts if count)

    def _result(self, assistant: Any, failed: tuple[str, ...], figures: dict[str, Any]) -> PlainResult:
        lost = sorted(set(self.lost))
        with self.stage.sessions.open("demo") as conn:
            report = collect(conn, self.stage.name, show_values=True)  # all of them were made up
        return self.stage.result(
            self.options,
            report,
            system=SYSTEM,
            acknowledged=len(assistant.messages),
            failed=len(assistant.failures),
            lost=len(lost),
            checks_failed=failed,
            figures=figures,
            differences=(*self.differences, *lost[:20], *assistant.failures[:20]),
        )

    # --- little things --------------------------------------------------------------------------------------

    @contextmanager
    def _held(self, assistant: Any, name: str) -> Iterator[None]:
        """The assistant writes nothing in the block: the other database has no lock of ours."""
        assistant.stop()
        with self.stage.timed(name):
            yield
        assistant.start()

    def _written(self, assistant: Any, name: str, dsn: str) -> None:
        """Let the assistant write for a while, and look for all that it has ever written."""
        self.stage.say(f"the assistant writes to {name} for {self.options.after_seconds:g} s")
        written = len(assistant.messages)
        self.stage.pause(self.options.after_seconds)
        assistant.stop()
        if len(assistant.messages) == written:
            self.differences.append(f"The assistant wrote nothing to {name}")
        self._look(assistant, dsn)
        assistant.start()

    def _look(self, assistant: Any, dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as conn:
            self.lost += import_system(SYSTEM, "assistant").lost(conn, assistant)
