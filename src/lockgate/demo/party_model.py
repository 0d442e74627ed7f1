"""The demo of the party model, from an empty folder to the report."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from lockgate.demo.database import DemoDatabase, on_own_server, on_server
from lockgate.demo.ending import Retirement
from lockgate.demo.options import DemoOptions
from lockgate.demo.outcome import outcome
from lockgate.demo.project import Project, Running
from lockgate.demo.result import DemoResult
from lockgate.demo.syncing import drain, syncing
from lockgate.engine import runner
from lockgate.engine.address import resolve
from lockgate.engine.clock import Clock, ForwardedClock, SystemClock
from lockgate.engine.context import Progress, Silent
from lockgate.engine.run import Outcome
from lockgate.engine.session import Sessions
from lockgate.errors import Interrupted, LockgateError, UsageError
from lockgate.plan.load import LoadedPlan, load_plan
from lockgate.systems import import_system, system_folder
from lockgate.verification import record, verify

SYSTEM = "party_model"
_LOG = "PARTY_MODEL_LOG"
_WARM_UP_SECONDS = 2.0
_BORN_AFTER = "setup"  # the phase that makes the tables which the born parties are written to
_OVER = "transactions"  # the phase at whose end the new model is the one that is written
_KNOWN_PEOPLE = 400


def run(
    options: DemoOptions,
    progress: Progress | None = None,
    *,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
) -> DemoResult:
    """Run the demo; whether all went well is for ``holds`` of the result to say.

    Everything that was started is ended and removed before this returns or raises, unless it is to be kept.

    :param stop: set it, and the demo ends early.
    :raises Interrupted: if it was stopped.
    :raises UsageError: if the options make no sense.
    :raises LockgateError: if a part of the demo could not run at all.
    """
    clock, progress = ForwardedClock(clock or SystemClock()), progress or Silent()
    stop = stop or threading.Event()
    _require_packages()
    try:
        expected = import_system(SYSTEM, "counts").expected(options.scale)
    except ValueError as error:
        raise UsageError(str(error).capitalize(), hint="Try --scale 0.02.") from None
    database = None if options.database is None else resolve(options.database, os.environ)
    folder = _folder(options, clock)
    project = Project(system_folder(SYSTEM), folder, clock, stop)
    with _database(database, options, progress) as made:
        return _Demo(options, progress, clock, stop, folder, made, project, expected).run()


def _require_packages() -> None:
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise LockgateError(
            "The demo needs packages that are not installed",
            why=f"There is no {' and no '.join(missing)}.",
            hint="pip install 'lockgate[demo]'",
        )


def _folder(options: DemoOptions, clock: Clock) -> Path:
    folder = options.folder or Path.cwd() / f"demo-{clock.now():%Y%m%d-%H%M%S}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError("The demo's folder cannot be made", where=str(folder), why=error.strerror) from None
    (folder / "journal.jsonl").unlink(missing_ok=True)
    return folder


def _database(dsn: str | None, options: DemoOptions, progress: Progress) -> AbstractContextManager[DemoDatabase]:
    if dsn is not None:
        return on_server(dsn, options.keep)
    progress.event("demo: starting a PostgreSQL server")
    return on_own_server(options.keep, SYSTEM)


def _is_well(said: Any) -> bool:
    """Whether the service that said where it is has a database that answers."""
    try:
        with urlopen(f"{said['url']}/health", timeout=5):
            return True
    except OSError:
        return False


@dataclass(slots=True)
class _Demo:
    options: DemoOptions
    progress: Progress
    clock: ForwardedClock
    stop: threading.Event
    folder: Path
    database: DemoDatabase
    project: Project
    expected: Any
    seconds: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    def run(self) -> DemoResult:
        with self._timed("generate"):
            self._generate()
        loaded = load_plan(self.project.folder / "plan")
        plan = loaded.plan.plan
        sessions = Sessions(self.database.dsn, loaded.plan.settings, self.clock)
        with self._service() as service:
            url = service.said["url"]
            retirement = self._retirement(loaded, sessions)
            with self._load(url, self.options.seed) as load:
                self._baseline()
                with self._timed("plan"), self._interval("during"):
                    self._apply(loaded, sessions, to=_BORN_AFTER)
                    with syncing(sessions, plan, self.clock, self.progress.event):
                        self._say(f"the service writes {self.expected.born} people to the new model only")
                        self.project.ask(self.database.dsn, "born", *self._to(url, self.options.seed))
                        self._apply(loaded, sessions, to=_OVER)
                with syncing(sessions, plan, self.clock, self.progress.event):
                    with self._interval("after"):
                        self._say(f"the service writes the new model for {self.options.after_seconds:g} s")
                        self.project.pause(self.options.after_seconds)
                    load.stop()
                    self._say("the load has stopped; waiting for the last changes to be applied")
                    drain(sessions, plan, self.clock, self.stop)
            with self._timed("verify"):
                checks_failed = self._check_again(loaded, sessions)
                verified = self._verify_journal(("old", "new"))
            ending = None
            if self.options.to_end:
                with self._timed("end"), self._load(url, self.options.seed + 1) as load:
                    with syncing(sessions, plan, self.clock, self.progress.event), self._log_named():
                        ending = retirement.run()
                    load.stop()
                last = self._verify_journal(("new",))
                verified = {
                    **last,
                    "load_rows": verified["load_rows"],
                    "primary_addresses": verified["primary_addresses"],
                    "lost": verified["lost"] + last["lost"],
                    "lost_writes": verified["lost_writes"] + last["lost_writes"],
                }
        return outcome(
            options=self.options,
            sessions=sessions,
            loaded=loaded,
            folder=self.folder,
            expected=self.expected,
            verified=verified,
            checks_failed=checks_failed,
            seconds=self.seconds,
            kept=self.database.kept,
            ending=ending,
            phases_wanted=self._wanted(loaded),
        )

    # --- parts ----------------------------------------------------------------------------------------------

    def _generate(self) -> None:
        scale, seed = self.options.scale, self.options.seed
        self._say(f"making the legacy database at scale {scale:g} in {self.database.place}")
        self.project.ask(
            self.database.dsn, "generate", "--scale", scale, "--seed", seed, told=lambda stage: self._say(f"  {stage}")
        )
        role, password = self.database.service_role, self.database.service_password
        self.project.ask(self.database.dsn, "role", "--name", role, password=password)

    def _service(self) -> AbstractContextManager[Running]:
        return self.project.running(self.database.service_dsn, "service", ready=_is_well)

    def _load(self, url: str, seed: int) -> AbstractContextManager[Running]:
        known = self.folder / "known_people.json"
        known.write_text(json.dumps(self.project.ask(self.database.dsn, "people", "--limit", _KNOWN_PEOPLE)))
        self._say(f"a load of {self.options.rate:g} requests a second begins")
        return self.project.running("", "load", *self._to(url, seed), "--rate", self.options.rate, "--known", known)

    def _retirement(self, loaded: LoadedPlan, sessions: Sessions) -> Retirement:
        return Retirement(
            loaded,
            sessions,
            self.clock,
            self.folder,
            self.progress,
            lambda to: self._apply(loaded, sessions, to=to),
            self._say,
        )

    @contextmanager
    def _log_named(self) -> Iterator[None]:
        """Let the plan's own command know where the service writes its errors."""
        os.environ[_LOG] = str(self.folder / "service.log")
        try:
            yield
        finally:
            del os.environ[_LOG]

    def _wanted(self, loaded: LoadedPlan) -> int:
        names = [phase.id for phase in loaded.plan.phases]
        return len(names) if self.options.to_end else names.index(_OVER) + 1

    def _baseline(self) -> None:
        self.project.pause(_WARM_UP_SECONDS)
        with self._interval("before"):
            self._say(f"the service works on the old model for {self.options.baseline_seconds:g} s")
            self.project.pause(self.options.baseline_seconds)

    def _apply(self, loaded: LoadedPlan, sessions: Sessions, to: str | None = None) -> None:
        done = runner.apply(loaded, sessions, to=to, progress=self.progress, clock=self.clock, stop=self.stop)
        if done.outcome is Outcome.INTERRUPTED:
            raise Interrupted("The demo was stopped", where=done.why)

    def _check_again(self, loaded: LoadedPlan, sessions: Sessions) -> tuple[str, ...]:
        """Make the checks of all phases once more, now that nobody writes; what failed."""
        failed = []
        for found in verify(loaded, sessions, only=None, progress=self.progress, clock=self.clock, stop=self.stop):
            record(loaded, sessions, found)
            said = found.result.what if found.result else str(found.error)
            self._say(f"check: {'holds' if found.passed else 'FAILED'}: {said}")
            if not found.passed:
                failed.append(said)
        self.project.pause(0)
        return tuple(failed)

    def _verify_journal(self, models: Sequence[str]) -> Any:
        self._say(f"looking for each acknowledged write in the {' and the '.join(models)} model")
        intervals = [f"{name}:{since}:{until}" for name, (since, until) in self.intervals.items()]
        each = [word for interval in intervals for word in ("--interval", interval)]
        journal = ("--journal", self.folder / "journal.jsonl", "--models", *models)
        return self.project.ask(self.database.dsn, "verify", *journal, *each)

    # --- little things --------------------------------------------------------------------------------------

    def _to(self, url: str, seed: int) -> tuple[object, ...]:
        return ("--url", url, "--journal", self.folder / "journal.jsonl", "--seed", seed)

    def _say(self, message: str) -> None:
        self.progress.event(f"demo: {message}")

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = self.clock.monotonic()
        yield
        self.seconds[name] = round(self.clock.monotonic() - start, 2)

    @contextmanager
    def _interval(self, name: str) -> Iterator[None]:
        since = self.clock.now().timestamp()
        yield
        self.intervals[name] = (since, self.clock.now().timestamp())
