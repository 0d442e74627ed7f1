"""Numbers as people read them."""

from __future__ import annotations

from datetime import timedelta


def count(value: float) -> str:
    """1234567 as ``1,234,567``."""
    return f"{value:,.0f}"


def size(value: float) -> str:
    """Bytes in the largest unit of which there is at least one: ``3.4 MB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if abs(value) < 1024:
            return f"{value:.0f} bytes" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TB"


def duration(value: timedelta | float) -> str:
    """Two units at most: ``45 s``, ``3 min 20 s``, ``2 h 5 min``, ``3 d 4 h``."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size_, unit, smaller_size, smaller in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size_:
            rest = whole % size_ // smaller_size
            return f"{whole // size_} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def eta(low: timedelta | None, high: timedelta | None) -> str:
    """The time left as a range; what is said while nothing was measured yet."""
    if low is None or high is None:
        return "time left not known yet"
    first, last = duration(low), duration(high)
    return f"{first} left" if first == last else f"{first} to {last} left"
