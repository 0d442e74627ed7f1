"""How large the next chunk should be and how long to rest: pure functions of what was measured."""

from __future__ import annotations

from dataclasses import dataclass

SMALLEST, LARGEST = 100, 1_000_000
_GROW, _SHRINK = 2.0, 0.5
_CLOSE = 0.15
_MOST = 2.0  # times the target that the rows of a chunk may take where the rest of it takes long
_LEAST_DUTY, _DUTY_STEP = 0.05, 0.1


@dataclass(frozen=True, slots=True)
class Cost:
    """What chunks have taken.

    :param rows: of the last chunk, which took ``seconds``; 0 if there was none.
    :param fixed: seconds of a chunk that do not come from its rows, as far as chunks of different sizes tell; None as
        long as they do not.
    """

    rows: int = 0
    seconds: float = 0.0
    fixed: float | None = None

    def after(self, rows: int, seconds: float) -> Cost:
        """With one more chunk."""
        fixed = self.fixed
        if self.rows and abs(rows - self.rows) > _CLOSE * self.rows:
            each = max(0.0, (seconds - self.seconds) / (rows - self.rows))
            found = max(0.0, seconds - each * rows)
            fixed = found if fixed is None else (fixed + found) / 2
        return Cost(rows, seconds, None if fixed is None else min(fixed, seconds))


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast to work.

    :param rows: rows of the next chunk.
    :param duty: share of the time spent working, above 0, at most 1.
    """

    rows: int
    duty: float = 1.0
    cost: Cost = Cost()

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


def next_rows(cost: Cost, target: float) -> int:
    """Rows of the next chunk, from what the last one took; changes at most by half or double.

    Within 15 % of the target nothing changes, so that it settles. On a machine without room much of a chunk's time is
    waiting, however few its rows are: then they get as much time as that takes, rather than be fewer and fewer.
    """
    rows, seconds = cost.rows, cost.seconds
    if rows <= 0 or seconds <= 0:
        return max(SMALLEST, min(LARGEST, rows))
    if cost.fixed is None and rows <= SMALLEST and seconds > target:
        return round(rows * _GROW)  # smaller ones are not to be had, and larger ones tell whether it is the rows
    fixed = cost.fixed or 0.0
    work = min(max(target - fixed, fixed), target * _MOST)
    factor = work / (seconds - fixed) if seconds > fixed else _GROW
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
    # Under a limit of latency small chunks are wanted for their own sake, whatever they cost.
    cost = pace.cost.after(rows, seconds) if limits.latency is None else Cost(rows, seconds, 0.0)
    if limits.latency is not None and latency is not None:
        if latency > limits.latency:
            return slower(pace, rows, limits)
        if pace.duty < 1.0:
            duty = min(1.0, pace.duty + _DUTY_STEP)
            return Pace(limits.rows or max(SMALLEST, rows), duty, cost)
    return Pace(limits.rows or next_rows(cost, limits.chunk_seconds), 1.0, cost)
