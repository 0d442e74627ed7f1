"""How large the next chunk should be and how long to rest: pure functions of what was measured."""

from __future__ import annotations

from dataclasses import dataclass

SMALLEST, LARGEST = 100, 1_000_000
_GROW, _SHRINK = 2.0, 0.5
_CLOSE = 0.15
_LEAST_DUTY, _DUTY_STEP = 0.05, 0.1


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast to work.

    :param rows: rows of the next chunk.
    :param duty: share of the time spent working, above 0, at most 1.
    """

    rows: int
    duty: float = 1.0

    def rest(self, seconds: float) -> float:
        """Seconds to rest after a chunk that took ``seconds``."""
        return seconds * (1.0 / self.duty - 1.0)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the pace is led by.

    :param chunk_seconds: time that a chunk should take.
    :param latency: seconds that the canary may take, or None.
    :param rows: a fixed chunk size that somebody asked for, or None.
    """

    chunk_seconds: float
    latency: float | None = None
    rows: int | None = None


def next_rows(rows: int, seconds: float, target: float) -> int:
    """Rows of the next chunk, from the last one's rows and seconds; changes at most by half or double.

    Within 15 % of the target nothing changes, so that it settles.
    """
    if rows <= 0 or seconds <= 0:
        return max(SMALLEST, min(LARGEST, rows))
    factor = target / seconds
    if abs(factor - 1.0) <= _CLOSE:
        factor = 1.0
    return max(SMALLEST, min(LARGEST, round(rows * max(_SHRINK, min(_GROW, factor)))))


def slower(pace: Pace, rows: int, limits: Limits) -> Pace:
    """The pace after the canary was too slow: half the chunk, half the share of time."""
    return Pace(limits.rows or max(SMALLEST, rows // 2), max(_LEAST_DUTY, pace.duty * _SHRINK))


def adapt(pace: Pace, rows: int, seconds: float, latency: float | None, limits: Limits) -> Pace:
    """The pace after a chunk of ``rows`` in ``seconds`` while the slowest probe took ``latency`` seconds.

    A probe over the limit halves chunk and duty at once; both come back in small steps, the duty first.
    """
    if limits.latency is not None and latency is not None:
        if latency > limits.latency:
            return slower(pace, rows, limits)
        if pace.duty < 1.0:
            duty = min(1.0, pace.duty + _DUTY_STEP)
            return Pace(limits.rows or max(SMALLEST, rows), duty)
    return Pace(limits.rows or next_rows(rows, seconds, limits.chunk_seconds), 1.0)
