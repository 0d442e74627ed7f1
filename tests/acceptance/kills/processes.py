"""Lockgate's command line in processes of their own, which are killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.forking import CONTEXT, begin
from tests.waiting import wait_until

_DEADLINE = 600  # only spent when a test fails


class Lockgate:
    """``python -m lockgate`` with these arguments, running.

    :param folder: one that is not there yet, for what the process leaves.
    :param faults: fault points at which it is killed, such as ``chunk.commit:2``.
    :param stop: it is stopped there instead, as by SIGSTOP.
    """

    def __init__(
        self, folder: Path, *args: str, faults: str = "", stop: bool = False, env: Mapping[str, str] | None = None
    ) -> None:
        folder.mkdir(parents=True)
        self.args = args
        self._log, self._said = folder / "points", folder / "said"
        variables = {
            "LOCKGATE_FAULT": faults,
            "LOCKGATE_FAULT_LOG": str(self._log),
            "LOCKGATE_FAULT_SIGNAL": "SIGSTOP" if stop else "SIGKILL",
            "LOCKGATE_DEBUG": "1",
            **(env or {}),
        }
        self._process: BaseProcess = CONTEXT.Process(target=_main, args=(args, variables, self._said), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    @property
    def stopped(self) -> bool:
        """Whether it is held by SIGSTOP."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
        except FileNotFoundError:
            return False

    @property
    def code(self) -> int | None:
        """Its exit code; -9 after a kill, None while it runs."""
        return self._process.exitcode

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL

    @property
    def said(self) -> str:
        """Everything that it wrote."""
        return self._said.read_text() if self._said.exists() else ""

    @property
    def points(self) -> list[str]:
        """The fault points that it passed, in their order; the last one is where it was killed."""
        return self._log.read_text().split() if self._log.exists() else []

    def wait(self, seconds: float = _DEADLINE) -> int:
        """Wait for its end, and return its exit code."""
        self._process.join(seconds)
        assert self.code is not None, f"still running after {seconds} s: {' '.join(self.args)}\n{self.said}"
        return self.code

    def wait_at_most(self, seconds: float) -> bool:
        """Whether it ends within this time."""
        self._process.join(seconds)
        return self.code is not None

    def wait_for(self, predicate: Callable[[], bool], what: str, seconds: float = _DEADLINE) -> None:
        """Wait for something that it does, or for its end."""
        wait_until(lambda: predicate() or not self.alive, seconds, what=what)

    def kill(self) -> None:
        """SIGKILL it, and wait until it is gone."""
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> int:
        """SIGTERM it, as a service is ended, when it is far enough to notice."""
        self.wait_for(self._listens, "it listens for SIGTERM")
        if self.alive:
            os.kill(self.pid, signal.SIGTERM)
        return self.wait()

    def _listens(self) -> bool:
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except FileNotFoundError:
            return False
        caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def _main(args: tuple[str, ...], variables: Mapping[str, str], said: Path) -> None:
    begin(variables, said, said)
    from lockgate.cli.main import cli

    cli.main(list(args), prog_name="lockgate")
