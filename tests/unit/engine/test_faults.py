from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lockgate.engine.faults import fault, parse
from tests.killing import call, every_point


def passes(times: int) -> None:
    """What the processes of these tests do."""
    for number in range(times):
        fault("test.point")
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


def test_kills_at_the_nth_pass() -> None:
    ended = call("tests.unit.engine.test_faults:passes", 5, fault="test.point:3")
    assert ended.killed
    assert ended.out.split() == ["0", "1"]


def test_other_points_do_nothing() -> None:
    ended = call("tests.unit.engine.test_faults:passes", 2, fault="test.other")
    assert (ended.code, ended.out.split()) == (0, ["0", "1"]), ended.err


def test_says_which_points_were_passed(tmp_path: Path) -> None:
    ended = call("tests.unit.engine.test_faults:passes", 2, log=tmp_path / "points")
    assert ended.points == ("test.point", "test.point")
    assert every_point(ended.points) == ["test.point:1", "test.point:2"]


def test_reads_several_points() -> None:
    assert parse("a:2, b,,c.d:1") == {"a": 2, "b": 1, "c.d": 1}


def test_refuses_the_pass_before_the_first() -> None:
    with pytest.raises(ValueError, match="starts at 1"):
        parse("a:0")


def test_chooses_a_few_of_many_passes() -> None:
    assert every_point(("a",) * 10, most=3) == ["a:1", "a:4", "a:10"]
