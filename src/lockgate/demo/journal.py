"""What a load saw: a line for each request, in a file outside of the database server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self


class Entry(Protocol):
    """A dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


class Timed(Protocol):
    """An entry whose time can be told."""

    @property
    def at(self) -> float:
        """When it was due, seconds since 1970."""

    @property
    def ms(self) -> float:
        """Milliseconds from when it was due, not from when it was sent, until the answer was there."""

    @property
    def ok(self) -> bool:
        """Whether the answer said that all that must be stored was."""


class Journal:
    """Appends entries to a file, a line each; on disk when it is closed. Several threads may write."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._lock = Lock()

    def write(self, entry: Entry) -> None:
        """Append one entry."""
        line = json.dumps(asdict(entry), separators=(",", ":")) + "\n"
        with self._lock:
            self._file.write(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()


def lines(path: Path) -> Iterator[Mapping[str, Any]]:
    """The entries' fields, in the order of their ends."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


@dataclass(frozen=True, slots=True)
class Latency:
    """How long the requests of a time took; milliseconds, None where there were no requests."""

    requests: int
    failed: int
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None


def latency(entries: Iterable[Timed], since: float, until: float) -> Latency:
    """The latency of the requests that were due in ``[since, until)``, failed ones included."""
    due = [entry for entry in entries if since <= entry.at < until]
    times = sorted(entry.ms for entry in due)
    return Latency(
        requests=len(due),
        failed=sum(not entry.ok for entry in due),
        p50_ms=percentile(times, 0.50),
        p99_ms=percentile(times, 0.99),
        max_ms=times[-1] if times else None,
    )


def percentile(ordered: Sequence[float], part: float) -> float | None:
    """The smallest value that at least ``part`` of the values do not exceed."""
    if not ordered:
        return None
    whole = len(ordered) * part
    return ordered[max(int(whole) + (whole > int(whole)) - 1, 0)]
