"""What a run shows: lines for logs, JSON for programs, a bar for people; honest while it waits."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from datetime import timedelta

import pytest

from lockgate.cli.output import Output
from lockgate.cli.progress import JsonLines, Lines, Live, chunk_line, shown
from lockgate.engine.clock import FakeClock
from lockgate.ledger.chunks import ChunkProgress

HALF = ChunkProgress(total=8, done=4, rows_read=40_000, rows_written=39_990, blocks_total=800, blocks_done=400)
ALL = ChunkProgress(total=8, done=8, rows_read=80_000, rows_written=79_990, blocks_total=800, blocks_done=800)
LOW, HIGH = timedelta(seconds=2), timedelta(seconds=5)


def test_a_line_counts_planned_chunks_and_gives_a_range() -> None:
    assert chunk_line(HALF, 20_000, LOW, HIGH) == (
        "chunk 4 of 8: 40,000 rows read, 39,990 written, 20,000 rows/s, 2.0 s to 5.0 s left"
    )
    assert chunk_line(ALL, 20_000, None, None) == "chunk 8 of 8: 80,000 rows read, 79,990 written"


def test_lines_are_few_and_the_last_one_is_always_said(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    lines = Lines(Output(), clock)
    lines.chunks(HALF, 1, None, None)
    lines.chunks(ChunkProgress(8, 5, 1, 1, 1, 1), 1, None, None)
    assert capsys.readouterr().out.count("\n") == 1
    clock.advance(timedelta(seconds=6))
    lines.chunks(ChunkProgress(8, 6, 1, 1, 1, 1), 1, None, None)
    lines.chunks(ALL, 1, None, None)
    lines.chunks(ALL, 1, None, None)
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 2
    assert "chunk 8 of 8" in out[1]


def test_waiting_says_why_and_what_releases_it(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(Output(), FakeClock())
    lines.waiting("paused: sale until noon", "lockgate resume")
    lines.waiting("", "")
    assert capsys.readouterr().out.splitlines() == [
        "00:00:00 waiting: paused: sale until noon (released by: lockgate resume)",
        "00:00:00 going on",
    ]


def test_json_is_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = JsonLines(Output("json"))
    lines.event("phase a begins")
    lines.chunks(HALF, 20_000.04, LOW, None)
    lines.waiting("lag", "nothing")
    lines.waiting("", "")
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found == [
        {"event": "message", "message": "phase a begins"},
        {
            "event": "progress",
            "chunks_done": 4,
            "chunks_total": 8,
            "rows_read": 40_000,
            "rows_written": 39_990,
            "rows_per_second": 20_000.0,
            "eta_seconds_low": 2.0,
            "eta_seconds_high": None,
        },
        {"event": "waiting", "reason": "lag", "release": "nothing"},
        {"event": "going_on"},
    ]


def test_the_bar_shows_chunks_and_leaves_lines_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    screen = io.StringIO()
    with redirect_stdout(screen), Live(Output()) as live:
        live.event("step [one] begins")
        live.chunks(HALF, 20_000, LOW, HIGH)
        live.waiting("paused", "lockgate resume")
        live.waiting("", "")
        live.chunks(ALL, 20_000, None, None)
    text = screen.getvalue()
    assert "step [one] begins" in text
    assert "waiting: paused (released by: lockgate resume)" in text
    assert "chunk 8 of 8: 80,000 rows read, 79,990 written" in text


@pytest.mark.parametrize(("output", "kind"), [(Output("json"), JsonLines), (Output(), Lines)])
def test_who_reads_decides(output: Output, kind: type) -> None:
    with shown(output, FakeClock()) as progress:
        assert isinstance(progress, kind)


@pytest.mark.parametrize("output", [Output("json"), Output()])
def test_who_never_waited_does_not_go_on(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    with shown(output, FakeClock()) as progress:
        progress.waiting("", "")
    assert capsys.readouterr().out == ""
