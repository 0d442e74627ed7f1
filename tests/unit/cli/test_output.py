"""Numbers for people, aligned columns, and colour only for a person."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest

from lockgate.cli import amounts
from lockgate.cli.output import coloured, columns, interactive


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CI", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (45, "45 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7530, "2 h 5 min"),
        (86_400 * 3 + 3600 * 4 + 59, "3 d 4 h"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert amounts.duration(seconds) == text
    assert amounts.duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 kB"), (5 * 1024**3, "5.0 GB"), (2**41, "2.0 TB")],
)
def test_size(size: int, text: str) -> None:
    assert amounts.size(size) == text


def test_eta_is_a_range_and_honest_when_nothing_is_known() -> None:
    assert amounts.eta(timedelta(seconds=20), timedelta(seconds=90)) == "20 s to 1 min 30 s left"
    assert amounts.eta(timedelta(seconds=20), timedelta(seconds=20)) == "20 s left"
    assert amounts.eta(None, None) == "time left not known yet"


def test_columns_are_aligned_and_have_no_trailing_space() -> None:
    assert columns([["a", "1"], ["bbb", "22"]], right=[1], indent="  ") == ["  a     1", "  bbb  22"]
    assert columns([["a", ""], ["bb", "x"]]) == ["a", "bb  x"]
    assert columns([]) == []


def test_colour_is_for_a_person_who_did_not_ask_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert coloured(Terminal(), no_color=False)
    assert not coloured(Terminal(), no_color=True)
    assert not coloured(io.StringIO(), no_color=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured(Terminal(), no_color=False)


def test_a_ci_job_is_no_person(monkeypatch: pytest.MonkeyPatch) -> None:
    assert interactive(Terminal())
    monkeypatch.setenv("CI", "true")
    assert not interactive(Terminal())
