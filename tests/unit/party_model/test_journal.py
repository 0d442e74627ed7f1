from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.demo.journal import Journal, latency, percentile
from systems.party_model.journal import Entry, read


def entry(number: int, at: float, ms: float, *, ok: bool = True) -> Entry:
    return Entry(number, "new", at, ms, ok, 200, "old", "L1", {"1": {}}, [], "")


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    entries = [entry(1, 10.5, 3.25), entry(2, 11, 4)]
    for each in entries:
        with Journal(path) as journal:  # a second run goes on where the first ended
            journal.write(each)
    assert list(read(path)) == entries


def test_a_line_is_in_the_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.write(entry(1, 10.5, 3.25))
        assert len(list(read(path))) == 1


@pytest.mark.parametrize(("part", "value"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.0, 1)])
def test_percentile(part: float, value: float) -> None:
    assert percentile([float(number) for number in range(1, 101)], part) == value


def test_percentile_of_nothing_and_of_one() -> None:
    assert percentile([], 0.99) is None
    assert percentile([7.0], 0.99) == 7.0


def test_latency_counts_what_was_due_in_the_interval() -> None:
    entries = [entry(1, 9.9, 1000), entry(2, 10, 1), entry(3, 10.5, 3, ok=False), entry(4, 11, 1000)]
    found = latency(entries, 10, 11)
    assert (found.requests, found.failed, found.p50_ms, found.p99_ms, found.max_ms) == (2, 1, 1, 3, 3)
    assert latency(entries, 20, 30).p99_ms is None
