"""Killing processes of Lockgate at named points, and finding those points.

``fault="step.commit:2"`` ends the process as SIGKILL does, when it passes that point for the second time.
"""

from __future__ import annotations

import importlib
import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lockgate.engine.faults import LOG, VARIABLE
from tests.forking import CONTEXT, begin

ROOT = Path(__file__).parents[1]
Due = Callable[[Sequence[str]], Sequence[str]]
"""Of many like parts those that are run."""


@dataclass(frozen=True)
class Ended:
    """A process that ended.

    :param killed: whether it was killed, and did not end by itself.
    :param points: the fault points that it passed, in their order; only where they were asked for.
    """

    code: int
    out: str
    err: str
    points: tuple[str, ...] = ()

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


def call(
    target: str,
    *args: Any,
    fault: str | None = None,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float = 600,
) -> Ended:
    """Call a function in a process of its own.

    :param target: ``package.module:function``.
    :param args: what can be pickled.
    :param log: a file that does not exist; the points that were passed are read from it.
    """
    variables = {**os.environ, **(env or {}), **({LOG: str(log)} if log else {})}
    if fault is not None:
        variables[VARIABLE] = fault
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = CONTEXT.Process(target=_call, args=(target, args, variables, out, err), daemon=True)
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise AssertionError(f"still running after {seconds} s: {target}\n{err.read_text()}")
        code = process.exitcode
        process.close()
        said, complained = (path.read_text() if path.exists() else "" for path in (out, err))
    passed = tuple(log.read_text().split()) if log and log.exists() else ()
    return Ended(code, said, complained, passed)


def every_point(passed: tuple[str, ...], most: int | None = None) -> list[str]:
    """``name:n`` for each pass of each point; all of them unless ``most`` is given.

    :param most: passes of one name at most: the last one, the first, and some between.
    """
    counts = Counter(passed)
    chosen = []
    for name, count in counts.items():
        numbers = list(range(1, count + 1))
        if most is not None and count > most:
            numbers = [*numbers[:: max(1, count // most)][: most - 1], count]
        chosen += [f"{name}:{number}" for number in numbers]
    return chosen


def _call(target: str, args: Sequence[Any], variables: Mapping[str, str], out: Path, err: Path) -> None:
    begin(variables, out, err)
    os.chdir(ROOT)
    module, _, name = target.partition(":")
    getattr(importlib.import_module(module), name)(*args)
