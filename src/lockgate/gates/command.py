"""Gate ``command``: an outside program says that the phase may start."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lockgate.engine.address import redact
from lockgate.engine.evidence import Evidence
from lockgate.gates.base import GateContext, GateResult, Refusal
from lockgate.plan.models import CommandGate, format_duration

_KEPT = 4_000  # characters of what it says
_SHOWN = 200  # of its first line


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of running it; ``status`` is None where it did not come to an end by itself."""

    status: int | None
    said: str
    why: str

    @property
    def first_line(self) -> str:
        lines = [line.strip() for line in self.said.splitlines() if line.strip()]
        return lines[0][:_SHOWN] if lines else ""


class Runner:
    """Runs the program in the plan's folder; 0 opens the gate."""

    def evaluate(self, ctx: GateContext) -> GateResult:
        """Refused, too, when the program is not found or does not answer in time: silence is no yes."""
        gate: CommandGate = ctx.gate
        answer = _run(ctx)
        passed = answer.status == 0
        result: dict[str, Any] = {"status": answer.status, "said": answer.said, "passed": passed}
        name = self.describe(gate)
        what = f"{name}: {answer.why}" + (f": {answer.first_line}" if answer.first_line else "")
        return GateResult(
            passed,
            what,
            None if passed else Refusal.REFUSED,
            hint=None if passed else f"Look at what `{shlex.join(gate.command)}` says in the plan's folder.",
            evidence=(Evidence(f"command:{gate.command[0]}", shlex.join(gate.command), result),),
        )

    def describe(self, gate: CommandGate) -> str:
        """The title, else the command."""
        return gate.title or f"`{shlex.join(gate.command)}`"


def _run(ctx: GateContext) -> _Answer:
    """Run it to its end, or to the end of its time; with its children, for it has a session of its own."""
    gate: CommandGate = ctx.gate
    environment = {**os.environ, "LOCKGATE_PLAN": ctx.loaded.plan.plan, "LOCKGATE_PHASE": ctx.phase.id}
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                gate.command,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                cwd=ctx.loaded.folder, env=environment, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            return _Answer(None, "", f"could not be run: {error.strerror}")
        try:
            status: int | None = process.wait(gate.within / timedelta(seconds=1))
        except subprocess.TimeoutExpired:
            status = None
        finally:
            with contextlib.suppress(OSError):  # there is nobody left
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        said = redact(output.read(4 * _KEPT).decode(errors="replace").replace("\0", ""))[:_KEPT].strip()
    if status is None:
        return _Answer(None, said, f"did not answer within {format_duration(gate.within)}")
    ended = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
    return _Answer(status, said, "says yes" if status == 0 else ended)
