"""The party model's project as its team runs it: commands and services in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any
from urllib.request import urlopen

from lockgate.engine.address import redact
from lockgate.engine.clock import Clock
from lockgate.errors import Interrupted, LockgateError

_ENDING_SECONDS = 70
"""A request under way may take a minute before its failure is known."""


def require_packages() -> None:
    """:raises LockgateError: if the service's packages are not installed."""
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise LockgateError(
            "The demo needs packages that are not installed",
            why=f"There is no {' and no '.join(missing)}.",
            hint="pip install 'lockgate[demo]'",
        )


def is_well(said: Any) -> bool:
    """Whether the service that said where it is has a database that answers."""
    try:
        with urlopen(f"{said['url']}/health", timeout=5):
            return True
    except OSError:
        return False


@dataclass(slots=True)
class Running:
    """A process that runs until it is stopped.

    :ivar said: the first thing that it said.
    :ivar ended_by_itself: it was not there any more when it was stopped.
    """

    process: subprocess.Popen[str]
    said: Any
    ended_by_itself: bool = False
    _stopped: bool = False

    def stop(self) -> None:
        """Let it finish what it is at; nothing happens the second time."""
        if not self._stopped:
            self._stopped = True
            self.ended_by_itself = self.process.poll() is not None
            _end(self.process)


@dataclass(frozen=True, slots=True)
class Project:
    """Runs the commands of a system's folder.

    :param logs: where long-running processes write what they complain about.
    :param stop: set, and what runs is ended.
    """

    folder: Path
    logs: Path
    clock: Clock
    stop: threading.Event

    def ask(
        self,
        dsn: str,
        command: str,
        *arguments: object,
        told: Callable[[str], None] | None = None,
        password: str | None = None,
    ) -> Any:
        """Run a command to its end; its answer.

        :param told: gets each line that it says meanwhile.
        :raises LockgateError: if it failed.
        :raises Interrupted: if it was stopped.
        """
        lines: list[str] = []
        with tempfile.TemporaryFile("w+", encoding="utf-8") as answer:
            process = self._start(dsn, (command, *arguments), answer, subprocess.PIPE, password)
            listener = threading.Thread(target=_listen, args=(process.stderr, lines, told))
            listener.start()
            try:
                while process.poll() is None:
                    self._go_on_for(0.05)
            finally:
                _end(process)
                listener.join()
            if process.returncode != 0:
                raise self._failure(command, "\n".join(lines[-5:]))
            answer.seek(0)
            return json.load(answer)

    @contextmanager
    def running(
        self, dsn: str, command: str, *arguments: object, ready: Callable[[Any], bool] = lambda _: True
    ) -> Iterator[Running]:
        """Run a command until it is stopped, at the latest when the block ends.

        :param ready: is given what the command said first, until it says yes; the block begins then.
        :raises LockgateError: if it does not start, or ended by itself.
        """
        log = self.logs / f"{command}.log"
        with log.open("a", encoding="utf-8") as complaints:
            process = self._start(dsn, (command, "--with-parent", *arguments), subprocess.PIPE, complaints, None)
            try:
                assert process.stdout is not None
                first = process.stdout.readline()
                if not first:
                    raise self._failure(command, _tail(log))
                running = Running(process, json.loads(first))
                while not ready(running.said):
                    if process.poll() is not None:
                        raise self._failure(command, _tail(log))
                    self._go_on_for(0.1)
                yield running
                running.stop()
                if running.ended_by_itself:
                    raise self._failure(command, _tail(log))
            finally:
                _end(process)

    def pause(self, seconds: float) -> None:
        """Let time pass.

        :raises Interrupted: if the demo is stopped meanwhile.
        """
        self._go_on_for(seconds)

    def _go_on_for(self, seconds: float) -> None:
        if self.clock.wait(self.stop, seconds):
            raise Interrupted("The demo was stopped")

    def _start(
        self, dsn: str, arguments: tuple[object, ...], output: Any, errors: Any, password: str | None
    ) -> subprocess.Popen[str]:
        environment = {**os.environ, "PARTY_MODEL_DATABASE": dsn}
        if password is not None:
            environment["PARTY_MODEL_SERVICE_PASSWORD"] = password
        return subprocess.Popen(
            [sys.executable, str(self.folder), *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=output, stderr=errors, text=True, env=environment,
            start_new_session=True,  # Ctrl-C is for us; we end them in order
        )  # fmt: skip

    def _failure(self, command: str, why: str) -> LockgateError:
        return LockgateError(
            f"The demo's {command} failed", where=str(self.folder), why=redact(why) or "It said nothing."
        )


def _listen(stream: IO[str] | None, lines: list[str], told: Callable[[str], None] | None) -> None:
    assert stream is not None
    with stream:
        for line in stream:
            lines.append(line.rstrip())
            if told:
                told(line.rstrip())


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])


def _end(process: subprocess.Popen[str]) -> None:
    """End a process, gently first."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
