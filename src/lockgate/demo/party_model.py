"""The demo of the party model, from an empty folder to the report."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from lockgate.demo.ending import Retirement
from lockgate.demo.options import DemoOptions
from lockgate.demo.outcome import outcome
from lockgate.demo.project import Project, Running, is_well, require_packages
from lockgate.demo.result import DemoResult
from lockgate.demo.stage import Stage, sized, staged
from lockgate.engine.clock import Clock, ForwardedClock, SystemClock
from lockgate.engine.context import Progress, Silent
from lockgate.systems import import_system, system_folder

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
    require_packages()
    expected = sized(lambda: import_system(SYSTEM, "counts").expected(options.scale), "0.02")
    with staged(options, SYSTEM, clock, progress, stop) as stage:
        project = Project(system_folder(SYSTEM), stage.folder, clock, stop)
        return _Demo(options, stage, clock, project, expected).run()


@dataclass(slots=True)
class _Demo:
    options: DemoOptions
    stage: Stage
    clock: ForwardedClock
    project: Project
    expected: Any
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    def run(self) -> DemoResult:
        stage = self.stage
        with stage.timed("generate"):
            self._generate()
        with self._service() as service:
            url = service.said["url"]
            retirement = Retirement(stage, self.clock)
            with self._load(url, self.options.seed) as load:
                self._baseline()
                with stage.timed("plan"), self._interval("during"):
                    stage.apply(_BORN_AFTER)
                    with stage.synced():
                        stage.say(f"the service writes {self.expected.born} people to the new model only")
                        self.project.ask(stage.database.dsn, "born", *self._to(url, self.options.seed))
                        stage.apply(_OVER)
                with stage.synced():
                    with self._interval("after"):
                        stage.say(f"the service writes the new model for {self.options.after_seconds:g} s")
                        self.project.pause(self.options.after_seconds)
                    load.stop()
                    stage.say("the load has stopped; waiting for the last changes to be applied")
                    stage.drain()
            with stage.timed("verify"):
                checks_failed = tuple(stage.check_again())
                verified = self._verify_journal(("old", "new"))
            ending = None
            if self.options.to_end:
                with stage.timed("end"), self._load(url, self.options.seed + 1) as load:
                    with stage.synced(), self._log_named():
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
            stage=stage,
            expected=self.expected,
            verified=verified,
            checks_failed=checks_failed,
            ending=ending,
            phases_wanted=self._wanted(),
        )

    # --- parts ----------------------------------------------------------------------------------------------

    def _generate(self) -> None:
        scale, seed, stage, database = self.options.scale, self.options.seed, self.stage, self.stage.database
        stage.say(f"making the legacy database at scale {scale:g} in {database.place}")
        sized = ("--scale", scale, "--seed", seed)
        self.project.ask(database.dsn, "generate", *sized, told=lambda done: stage.say(f"  {done}"))
        self.project.ask(database.dsn, "role", "--name", database.service_role, password=database.service_password)

    def _service(self) -> AbstractContextManager[Running]:
        return self.project.running(self.stage.database.service_dsn, "service", ready=is_well)

    def _load(self, url: str, seed: int) -> AbstractContextManager[Running]:
        known = self.stage.folder / "known_people.json"
        known.write_text(json.dumps(self.project.ask(self.stage.database.dsn, "people", "--limit", _KNOWN_PEOPLE)))
        self.stage.say(f"a load of {self.options.rate:g} requests a second begins")
        return self.project.running("", "load", *self._to(url, seed), "--rate", self.options.rate, "--known", known)

    @contextmanager
    def _log_named(self) -> Iterator[None]:
        """Let the plan's own command know where the service writes its errors."""
        os.environ[_LOG] = str(self.stage.folder / "service.log")
        try:
            yield
        finally:
            del os.environ[_LOG]

    def _wanted(self) -> int:
        names = [phase.id for phase in self.stage.loaded.plan.phases]
        return len(names) if self.options.to_end else names.index(_OVER) + 1

    def _baseline(self) -> None:
        self.project.pause(_WARM_UP_SECONDS)
        with self._interval("before"):
            self.stage.say(f"the service works on the old model for {self.options.baseline_seconds:g} s")
            self.project.pause(self.options.baseline_seconds)

    def _verify_journal(self, models: Sequence[str]) -> Any:
        self.stage.say(f"looking for each acknowledged write in the {' and the '.join(models)} model")
        intervals = [f"{name}:{since}:{until}" for name, (since, until) in self.intervals.items()]
        each = [word for interval in intervals for word in ("--interval", interval)]
        journal = ("--journal", self.stage.folder / "journal.jsonl", "--models", *models)
        return self.project.ask(self.stage.database.dsn, "verify", *journal, *each)

    # --- little things --------------------------------------------------------------------------------------

    def _to(self, url: str, seed: int) -> tuple[object, ...]:
        return ("--url", url, "--journal", self.stage.folder / "journal.jsonl", "--seed", seed)

    @contextmanager
    def _interval(self, name: str) -> Iterator[None]:
        since = self.clock.now().timestamp()
        yield
        self.intervals[name] = (since, self.clock.now().timestamp())
