"""What `apply` and `rollback` show while they run: a bar for people, lines for logs, JSON for programs.

Each class is a ``lockgate.engine.context.Progress``; it is called from several threads.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from lockgate.cli import amounts, secrets
from lockgate.cli.output import Output

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live as Screen

    from lockgate.engine.clock import Clock
    from lockgate.ledger.chunks import ChunkProgress

LINE_EVERY = 5.0
"""Seconds between two progress lines of the same step in a log."""


class Shown(Protocol):
    """The engine's Progress."""

    def event(self, message: str) -> None: ...

    def chunks(
        self,
        progress: ChunkProgress,
        rows_per_second: float,
        eta_low: timedelta | None,
        eta_high: timedelta | None,
    ) -> None: ...

    def waiting(self, reason: str, release: str) -> None: ...


@contextmanager
def shown(output: Output, clock: Clock) -> Iterator[Shown]:
    """The progress that fits who reads it: JSON lines, a live bar on a terminal, else plain lines."""
    if output.json:
        yield JsonLines(output)
    elif output.live:
        with Live(output) as live:
            yield live
    else:
        yield Lines(output, clock)


def lines(output: Output, clock: Clock) -> Shown:
    """For services, whose output is a log wherever it goes: never a bar."""
    return JsonLines(output) if output.json else Lines(output, clock)


class JsonLines:
    """One JSON object a line."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._waits = False

    def event(self, message: str) -> None:
        self._print({"event": "message", "message": message})

    def chunks(
        self,
        progress: ChunkProgress,
        rows_per_second: float,
        eta_low: timedelta | None,
        eta_high: timedelta | None,
    ) -> None:
        self._print(
            {
                "event": "progress",
                "chunks_done": progress.done,
                "chunks_total": progress.total,
                "rows_read": progress.rows_read,
                "rows_written": progress.rows_written,
                "rows_per_second": round(rows_per_second, 1),
                "eta_seconds_low": eta_low.total_seconds() if eta_low is not None else None,
                "eta_seconds_high": eta_high.total_seconds() if eta_high is not None else None,
            }
        )

    def waiting(self, reason: str, release: str) -> None:
        if reason:
            self._print({"event": "waiting", "reason": reason, "release": release})
        elif self._waits:
            self._print({"event": "going_on"})
        self._waits = bool(reason)

    def _print(self, value: dict[str, Any]) -> None:
        with self._lock:
            self._output.event(value)


class Lines:
    """Plain lines, as a log keeps them: what happens, and every few seconds how far it is."""

    def __init__(self, output: Output, clock: Clock) -> None:
        self._output = output
        self._clock = clock
        self._lock = threading.Lock()
        self._said_at: float | None = None
        self._said: tuple[int, int] | None = None
        self._waits = False

    def event(self, message: str) -> None:
        self._print(message)

    def chunks(
        self,
        progress: ChunkProgress,
        rows_per_second: float,
        eta_low: timedelta | None,
        eta_high: timedelta | None,
    ) -> None:
        now = self._clock.monotonic()
        state = (progress.done, progress.total)
        with self._lock:
            ended = progress.done == progress.total
            recently = self._said_at is not None and now - self._said_at < LINE_EVERY
            if state == self._said or (recently and not ended):
                return
            self._said_at, self._said = now, state
        self._print(f"  {chunk_line(progress, rows_per_second, eta_low, eta_high)}")

    def waiting(self, reason: str, release: str) -> None:
        if reason:
            self._print(f"waiting: {reason} (released by: {release})")
        elif self._waits:
            self._print("going on")
        self._waits = bool(reason)

    def _print(self, text: str) -> None:
        stamp = self._clock.now().strftime("%H:%M:%S")
        with self._lock:
            self._output.line(f"{stamp} {text}")


class Live:
    """Lines above, a bar below with what it means."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._screen: Screen | None = None
        self._waits = False

    def __enter__(self) -> Live:
        from rich.console import Console
        from rich.live import Live as Screen

        console = Console(no_color=self._output.no_color or None, highlight=False)
        self._screen = Screen("", console=console, transient=True, refresh_per_second=4)
        self._screen.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._screen:
            self._screen.stop()

    def event(self, message: str) -> None:
        with self._lock:
            self._show("")
            self._print(message)

    def chunks(
        self,
        progress: ChunkProgress,
        rows_per_second: float,
        eta_low: timedelta | None,
        eta_high: timedelta | None,
    ) -> None:
        with self._lock:
            if self._waits:
                return
            if progress.done == progress.total:
                self._show("")
                self._print(f"  {chunk_line(progress, rows_per_second, eta_low, eta_high)}")
            else:
                self._show(_bar(progress, rows_per_second, eta_low, eta_high))

    def waiting(self, reason: str, release: str) -> None:
        with self._lock:
            if reason:
                text = f"waiting: {reason} (released by: {release})"
                self._print(text, "yellow")
                self._show(text)
            elif self._waits:
                self._print("going on")
                self._show("")
            self._waits = bool(reason)

    def _print(self, text: str, style: str | None = None) -> None:
        assert self._screen is not None
        self._screen.console.print(secrets.hidden(text), style=style, markup=False, soft_wrap=True)

    def _show(self, below: RenderableType) -> None:
        assert self._screen is not None
        self._screen.update(below)


def _bar(
    progress: ChunkProgress, rows_per_second: float, eta_low: timedelta | None, eta_high: timedelta | None
) -> RenderableType:
    """A bar of planned chunks, and under it rows, speed and the time left."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    first = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=progress.total, completed=progress.done, width=40)
    first.add_row(f"{100 * progress.done / max(progress.total, 1):3.0f}%", bar, _of_chunks(progress))
    speed = f"{amounts.count(rows_per_second)} rows/s, {amounts.eta(eta_low, eta_high)}"
    return Group(first, Text(f"     {amounts.count(progress.rows_read)} rows read, {speed}"))


def _of_chunks(progress: ChunkProgress) -> str:
    return f"chunk {amounts.count(progress.done)} of {amounts.count(progress.total)}"


def chunk_line(
    progress: ChunkProgress, rows_per_second: float, eta_low: timedelta | None, eta_high: timedelta | None
) -> str:
    """How far a chunked step is: chunks of those planned, rows, speed and the time left as a range."""
    done = _of_chunks(progress)
    rows = f"{amounts.count(progress.rows_read)} rows read, {amounts.count(progress.rows_written)} written"
    if progress.done == progress.total:
        return f"{done}: {rows}"
    return f"{done}: {rows}, {amounts.count(rows_per_second)} rows/s, {amounts.eta(eta_low, eta_high)}"
