"""What the load client saw: a line for each request, kept outside the database server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Entry:
    """One request and its end.

    :ivar at: when it was due, seconds since 1970.
    :ivar ms: milliseconds from when it was due, not from when it was sent, until the answer was read.
    :ivar ok: the answer said that everything that must be stored was.
    :ivar model: which model the service wrote, as it said; empty if there was no answer.
    :ivar people: CPF -> what the lead brought.
    :ivar error: what went wrong, empty if nothing did.
    """

    number: int
    kind: str
    at: float
    ms: float
    ok: bool
    status: int
    model: str
    lead: str
    people: Mapping[str, Mapping[str, Any]]
    erased: Sequence[str]
    error: str


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


def read(path: Path) -> Iterator[Entry]:
    """The entries in the order of their ends."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield Entry(**json.loads(line))


@dataclass(frozen=True, slots=True)
class Latency:
    """How long the requests of a time took; milliseconds, None where there were no requests."""

    requests: int
    failed: int
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None


def latency(entries: Iterable[Entry], since: float, until: float) -> Latency:
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
