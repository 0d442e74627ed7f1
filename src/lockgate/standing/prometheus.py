"""How the standing checks stand, as a file for the textfile collector of Prometheus' node_exporter."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from lockgate.errors import LockgateError
from lockgate.ledger.standing import Result, Trend

_MODE = 0o644  # another user's process reads it; it holds names and numbers only

_METRICS: Sequence[tuple[str, str, Callable[[Trend, Result], float | None]]] = (
    ("value", "What the check measured last, if that is a number.", lambda trend, last: last.value),
    ("passed", "Whether the check held (1), or failed (0), when it was last made.", lambda trend, last: _passed(last)),
    ("known", "Whether the check could be made (1) the last time, or not (0).", lambda trend, last: _known(last)),
    (
        "alert",
        "Whether its failures are an alert (1) or not (0).",
        lambda trend, last: float(trend.check.alert_since is not None),
    ),
    ("last_run_timestamp_seconds", "When the check was last made.", lambda trend, last: last.at.timestamp()),
    ("duration_seconds", "How long the check took when it was last made.", lambda trend, last: last.seconds),
)


def render(plan: str, database: str, trends: Sequence[Trend], at: datetime) -> str:
    """The text format 0.0.4: a gauge for each thing that is known of a check, and when this was written.

    A check that need not hold now has no samples, and one that could not be made has neither value nor verdict.
    """
    shown = [(trend, trend.last) for trend in trends if trend.last is not None and trend.check.applies]
    lines: list[str] = []
    for name, words, measure in _METRICS:
        samples = [
            (_labels(plan=plan, database=database, check=trend.check.name), value)
            for trend, last in shown
            if (value := measure(trend, last)) is not None
        ]
        lines += _family(name, words, samples)
    own = [(_labels(plan=plan, database=database), at.timestamp())]
    lines += _family("written_timestamp_seconds", "When this was written, after a run of the checks.", own)
    return "\n".join(lines) + "\n"


def write(path: Path, text: str) -> None:
    """Put the text there in one step: a reader finds the old file or the new one, never a half.

    :raises LockgateError: if it cannot be written; what was there is as it was.
    """
    temporary: Path | None = None
    try:
        # Beside the target: a rename is atomic only within one file system. The collector reads *.prom only.
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), _MODE)
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        raise LockgateError(
            "The metrics cannot be written",
            where=str(path),
            why=error.strerror,
            hint="Name a file in a folder that this user may write to; the checks were made and are in the ledger.",
        ) from None


def _passed(last: Result) -> float | None:
    return None if last.outcome == "unknown" else float(last.outcome == "holds")


def _known(last: Result) -> float:
    return float(last.outcome != "unknown")


def _family(name: str, words: str, samples: Iterable[tuple[str, float]]) -> Iterator[str]:
    full = f"lockgate_standing_{name}"
    for number, (labels, value) in enumerate(samples):
        if number == 0:
            yield f"# HELP {full} {_escaped(words)}"
            yield f"# TYPE {full} gauge"
        yield f"{full}{labels} {_number(value)}"


def _labels(**values: str) -> str:
    quoted = (f'{name}="{_escaped(value).replace(chr(34), chr(92) + chr(34))}"' for name, value in values.items())
    return "{" + ",".join(quoted) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    """As Prometheus reads it: the shortest text that is this number, NaN, +Inf or -Inf."""
    if value != value:  # noqa: PLR0124 - only NaN is not itself
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "+Inf" if value > 0 else "-Inf"
    return repr(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)
