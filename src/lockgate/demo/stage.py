"""Where a system is shown: its plan in its database, and what the demos do with it alike."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lockgate.backup import record as backups
from lockgate.backup.make import make
from lockgate.backup.prove import prove
from lockgate.demo import parts
from lockgate.demo.database import DemoDatabase
from lockgate.demo.options import DemoOptions
from lockgate.demo.result import PlainResult
from lockgate.demo.syncing import drain, syncing
from lockgate.engine import runner
from lockgate.engine.clock import Clock
from lockgate.engine.context import Progress
from lockgate.engine.rollback import rollback
from lockgate.engine.run import Outcome
from lockgate.engine.session import Sessions
from lockgate.errors import Interrupted, UsageError
from lockgate.plan.load import LoadedPlan, load_plan
from lockgate.report.model import Report
from lockgate.systems import system_folder
from lockgate.verification import record, verify

T = TypeVar("T")


def sized(count: Callable[[], T], scale: str) -> T:
    """How much a system's generator will make.

    :param scale: one that is large enough, for people.
    :raises UsageError: if the scale that was given is too small.
    """
    try:
        return count()
    except ValueError as error:
        raise UsageError(str(error).capitalize(), hint=f"Try --scale {scale}.") from None


@contextmanager
def staged(
    options: DemoOptions, system: str, clock: Clock, progress: Progress, stop: threading.Event
) -> Iterator[Stage]:
    """A system's plan in a database that is gone afterwards, unless it is to be kept.

    :raises UsageError: if the folder cannot be made, or the address cannot be read.
    """
    place = parts.database(options, system, progress)
    folder = parts.folder(options, clock)
    with place as made:
        yield Stage(load_plan(system_folder(system) / "plan"), made, folder, clock, progress, stop)


@dataclass(frozen=True, slots=True)
class Stage:
    """A demo's plan in its database.

    :param folder: for the report, the journal and backups.
    :param stop: set, and what runs is ended.
    :ivar seconds: what took how long.
    """

    loaded: LoadedPlan
    database: DemoDatabase
    folder: Path
    clock: Clock
    progress: Progress
    stop: threading.Event
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the plan."""
        return self.loaded.plan.plan

    @property
    def sessions(self) -> Sessions:
        """With the plan's settings."""
        return Sessions(self.database.dsn, self.loaded.plan.settings, self.clock)

    def apply(self, to: str | None = None) -> None:
        """Bring the plan to the end of a phase.

        :raises Interrupted: if it was stopped.
        :raises LockgateError: if it cannot go on.
        """
        done = runner.apply(self.loaded, self.sessions, to=to, progress=self.progress, clock=self.clock, stop=self.stop)
        if done.outcome is Outcome.INTERRUPTED:
            raise Interrupted("The demo was stopped", where=done.why)

    def take_back(self, to: str) -> None:
        """Take back what the phases after this one did.

        :raises RollbackRefused: if rows would be lost.
        """
        rollback(self.loaded, self.sessions, to=to, progress=self.progress, clock=self.clock, stop=self.stop)

    def synced(self) -> AbstractContextManager[None]:
        """In the block, changes are applied as they come."""
        return syncing(self.sessions, self.name, self.clock, self.progress.event)

    def drain(self) -> None:
        """Wait until all changes are applied, within :meth:`synced`."""
        drain(self.sessions, self.name, self.clock, self.stop)

    def back_up(self, tables: Sequence[str] = ()) -> None:
        """Make a backup of tables, or of everything, and prove it: on the server that was named, where one was."""
        made = make(self.sessions, self.folder / "backups", self.name, patterns=tables, progress=self.progress)
        number = backups.keep(self.sessions, self.name, made)
        proof = prove(made.folder, on=self.database.named, progress=self.progress)
        backups.proven(self.sessions, self.name, number, made, proof)
        self.say(f"backup {number} is proven: {', '.join(tables) or 'everything'}")

    def check_again(self, only: str | None = None) -> Iterator[str]:
        """Make the checks of a phase, or of all, once more, now that nobody writes; what failed, a sentence each.

        :raises Interrupted: if it was stopped.
        """
        for found in verify(
            self.loaded, self.sessions, only=only, progress=self.progress, clock=self.clock, stop=self.stop
        ):
            record(self.loaded, self.sessions, found)
            said = found.result.what if found.result else str(found.error)
            self.say(f"check: {'holds' if found.passed else 'FAILED'}: {said}")
            if not found.passed:
                yield said
        self.pause(0)

    def pause(self, seconds: float) -> None:
        """Let time pass.

        :raises Interrupted: if the demo is stopped meanwhile.
        """
        if self.clock.wait(self.stop, seconds):
            raise Interrupted("The demo was stopped")

    def say(self, message: str) -> None:
        """Tell people."""
        self.progress.event(f"demo: {message}")

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Remember how long the block took."""
        start = self.clock.monotonic()
        yield
        self.seconds[name] = round(self.clock.monotonic() - start, 2)

    def result(
        self,
        options: DemoOptions,
        report: Report,
        *,
        system: str,
        acknowledged: int,
        failed: int,
        lost: int,
        checks_failed: tuple[str, ...],
        figures: Mapping[str, int | float | str],
        differences: tuple[str, ...],
    ) -> PlainResult:
        """Write the report, and gather what there is to know.

        :param acknowledged: writes of the application; ``failed`` and ``lost`` are others.
        """
        report_md, report_json = parts.write(report, self.folder)
        return PlainResult(
            system=system,
            scale=options.scale,
            seed=options.seed,
            phases_done=report.phases_done,
            phases_planned=report.phases_planned,
            checks_failed=checks_failed,
            unexplained_rows=sum(part.accounting.unexplained_rows for part in report.mappings if part.accounting),
            acknowledged_writes=acknowledged,
            failed_writes=failed,
            lost_writes=lost,
            figures=figures,
            differences=differences,
            seconds=self.seconds,
            report_md=report_md,
            report_json=report_json,
            kept=self.database.kept,
        )
