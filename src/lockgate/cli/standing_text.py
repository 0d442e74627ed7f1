"""Standing checks in words, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lockgate.cli.status_text import Styled

if TYPE_CHECKING:
    from lockgate.ledger.standing import Result, Trend
    from lockgate.standing.making import Made

_WORDS = {
    "alert": ("ALERT  ", "bad"),
    "fails": ("fails  ", "warn"),
    "holds": ("holds  ", "good"),
    "unknown": ("UNKNOWN", "bad"),
    "idle": ("idle   ", "dim"),
}
_COUNTED = {
    "fails": "not yet an alert",
    "alert": "an alert",
    "idle": "not to hold now",
    "unknown": "could not be made",
}


def lines(trend: Trend, made: Made | None, idle: str | None) -> Iterator[Styled]:
    """A check: how it stands, since when, and how that came.

    :param made: what this run made of it.
    :param idle: why this run did not make it.
    """
    word, style = _WORDS["unknown" if trend.unknown else trend.state]
    found = trend.last.found if trend.last and trend.check.applies else ""
    yield f"{word}  {': '.join(part for part in (trend.check.name, found) if part)}", style
    if idle:
        yield f"           Not made: it {idle}", None
    if made and made.hint and made.outcome != "holds":
        yield f"           Do: {made.hint}", None
    if trend.check.failing_since and trend.state != "idle":
        failed = sum(result.outcome == "fails" for result in trend.results)
        since = f"{trend.check.failing_since:%Y-%m-%d %H:%M:%S} UTC"
        stands = "The alert stands. " if trend.unknown and trend.state == "alert" else ""
        runs = f"{failed} of the last {len(trend.results)} runs failed"
        yield f"           {stands}Failing since {since}; {runs}", None
    if len(trend.results) > 1 and trend.check.applies:
        yield f"           Before: {', '.join(map(_short, trend.results[1:]))}{_change(trend)}", None


def as_json(trend: Trend, made: Made | None, idle: str | None) -> dict[str, Any]:
    """A check for programs; numbers that JSON has no form for are texts."""
    check = trend.check
    return {
        "event": "check",
        "id": check.name,
        "asks": check.asks,
        "state": trend.state,
        "made": made is not None,
        "idle": idle,
        "do": made.hint if made else None,
        "query": check.query,
        "failing_since": check.failing_since,
        "alert_since": check.alert_since,
        "change": number(trend.change),
        "results": [_result(result) for result in trend.results],
    }


def number(value: float | None) -> float | str | None:
    """A number that JSON can hold, else its text."""
    return value if value is None or math.isfinite(value) else str(value)


def summary(trends: Sequence[Trend]) -> Styled:
    """The last line."""
    states: list[str] = ["unknown" if trend.unknown else trend.state for trend in trends]
    parts = [f"{states.count('holds')} of {len(trends)} standing checks hold"]
    for state, words in _COUNTED.items():
        if count := states.count(state):
            parts.append(f"{count} {words}")
    style = "bad" if "unknown" in states or "alert" in states else "warn" if "fails" in states else "good"
    return ", ".join(parts) + ".", style


def _result(result: Result) -> dict[str, Any]:
    return {
        "at": result.at,
        "outcome": result.outcome,
        "value": number(result.value),
        "seconds": result.seconds,
        "found": result.found,
    }


def _short(result: Result) -> str:
    return result.outcome if result.value is None or result.outcome == "unknown" else f"{result.value:g}"


def _change(trend: Trend) -> str:
    return "" if trend.change is None else f" (now {trend.change:+g})"
