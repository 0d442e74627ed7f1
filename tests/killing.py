"""Killing processes of Lockgate at named points, and finding those points.

``fault="step.commit:2"`` ends the process as SIGKILL does, when it passes that point for the second time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate.engine.faults import LOG, VARIABLE

ROOT = Path(__file__).parents[1]
_CALL = """
import importlib, json, sys
module, name, args = sys.argv[1:]
getattr(importlib.import_module(module), name)(*json.loads(args))
"""


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


def lockgate(*args: str, fault: str | None = None, env: Mapping[str, str] | None = None, seconds: float = 120) -> Ended:
    """Run ``python -m lockgate`` with these arguments."""
    return _run([sys.executable, "-m", "lockgate", *args], fault, env or {}, seconds)


def call(
    target: str,
    *args: Any,
    fault: str | None = None,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float = 120,
) -> Ended:
    """Call a function in a process of its own.

    :param target: ``package.module:function``.
    :param args: what JSON can carry.
    :param log: a file that does not exist; the points that were passed are read from it.
    """
    module, _, name = target.partition(":")
    more = {**(env or {}), **({LOG: str(log)} if log else {})}
    ended = _run([sys.executable, "-c", _CALL, module, name, json.dumps(args)], fault, more, seconds)
    passed = tuple(log.read_text().split()) if log and log.exists() else ()
    return Ended(ended.code, ended.out, ended.err, passed)


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


def _run(command: list[str], fault: str | None, env: Mapping[str, str], seconds: float) -> Ended:
    environment = {**os.environ, **env}
    if fault is not None:
        environment[VARIABLE] = fault
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)
