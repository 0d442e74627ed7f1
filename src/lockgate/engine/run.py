"""One run: the lease, the record of how it ended, and what watches over it."""

from __future__ import annotations

import contextlib
import getpass
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection

from lockgate import __version__
from lockgate.engine import pins, preflight, sqlerrors
from lockgate.engine.clock import Clock
from lockgate.engine.context import Progress, Silent
from lockgate.engine.faults import fault
from lockgate.engine.governor import Governor
from lockgate.engine.job import Job
from lockgate.engine.leasing import holding
from lockgate.engine.outline import outline
from lockgate.engine.retry import lost_connection
from lockgate.engine.session import Sessions
from lockgate.errors import (
    ConnectionFailed,
    ConnectionLost,
    DatabaseError,
    ExitCode,
    Interrupted,
    LeaseLost,
    LockgateError,
)
from lockgate.ledger import chain, runs, store

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


class Outcome(Enum):
    """How a run ended that did not fail."""

    DONE = ExitCode.DONE
    INTERRUPTED = ExitCode.INTERRUPTED


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did.

    :param phases: those that it brought to their end (or took back), in the order in which it did.
    :param why: where and why it stopped, for one that was interrupted.
    """

    outcome: Outcome
    phases: tuple[str, ...]
    run_id: int
    why: str | None = None

    @property
    def exit_code(self) -> ExitCode:
        """The command's exit code."""
        return self.outcome.value


def run(
    loaded: LoadedPlan,
    sessions: Sessions,
    command: str,
    work: Callable[[Job], Iterator[str]],
    *,
    progress: Progress | None = None,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
) -> RunResult:
    """Do ``work`` under the lease, with health watched and mappings kept in step, as one recorded run.

    :param work: yields the name of each phase that it has finished.
    """
    progress = progress or Silent()
    stop = stop or threading.Event()
    ours = sessions.with_settings(loaded.plan.settings, clock)
    ours.preflight()
    with ours.open("runner") as conn:
        preflight.require_create(conn)
        store.install(conn)
    fault("ledger.installed")
    holder = f"{command} of {loaded.plan.plan} by {user()}"
    with holding(ours, holder, progress=progress, stop=stop) as held:
        governor = Governor(ours, loaded.plan.plan, ours.clock, progress, loaded.plan.settings)
        run_id = _start(ours, loaded, command)
        done: list[str] = []
        try:
            with (
                Job(loaded, ours, ours.clock, progress, governor, stop, held.epoch, run_id) as job,
                _recorded(job, command),
                _explained(f"{loaded.folder}/plan.yaml"),
            ):
                job.ledger(lambda conn: pins.refuse_changes(conn, loaded))
                with governor, _mappings_applied(job):
                    for name in work(job):
                        done.append(name)
        except Interrupted as error:
            return RunResult(Outcome.INTERRUPTED, tuple(done), run_id, str(error))
        return RunResult(Outcome.DONE, tuple(done), run_id)


def _start(sessions: Sessions, loaded: LoadedPlan, command: str) -> int:
    with sessions.open("runner") as conn, conn.transaction():
        run_id = runs.start(conn, plan=loaded.plan.plan, digest=loaded.digest, command=command)
        payload = {
            "state": "started",
            "command": command,
            "digest": loaded.digest,
            "description": loaded.plan.description,
            "phases": outline(loaded),
            "files": dict(loaded.files),
            "version": __version__,
            "server": conn.info.server_version,
        }
        chain.append(conn, kind="run", plan=loaded.plan.plan, payload=payload, run_id=run_id)
    fault("run.started")
    return run_id


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Turn an error of the driver that nobody expected into one with a message."""
    try:
        yield
    except ConnectionFailed as error:
        raise sqlerrors.lost(error, where) from error
    except psycopg.Error as error:
        raise (sqlerrors.lost if lost_connection(error) else sqlerrors.explain)(error, where) from error


@contextmanager
def _recorded(job: Job, command: str) -> Iterator[None]:
    """Write down how the run ended, whatever happens; unless the database is away."""
    outcome, told, away = ExitCode.DONE, None, False
    try:
        yield
    except LockgateError as error:
        outcome, told, away = error.exit_code, error.what, isinstance(error, ConnectionLost | LeaseLost)
        raise
    except BaseException as error:
        outcome, told = ExitCode.FAILED, type(error).__name__
        raise
    finally:
        payload = {"state": "ended", "command": command, "outcome": outcome.name.lower(), "error": told}
        if not away:
            with contextlib.suppress(psycopg.Error, DatabaseError):
                job.ledger(lambda conn: _end(job, conn, outcome.name.lower(), payload))
        fault("run.ended")


def _end(job: Job, conn: Connection[Any], outcome: str, payload: dict[str, Any]) -> None:
    with conn.transaction():
        runs.finish(conn, job.run_id, outcome)
        chain.append(conn, kind="run", plan=job.plan, payload=payload, run_id=job.run_id)


def _mappings_applied(job: Job) -> AbstractContextManager[object]:
    """What keeps the targets of live mappings in step while the run lasts."""
    from lockgate.engine.applying import applying

    return applying(job.sessions, job.plan, job.clock, job.progress.event)


def user() -> str:
    """Who runs this, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"user {os.getuid()}"
