"""The service that applies, where what it works at goes away or something unforeseen happens."""

from __future__ import annotations

import pytest

from lockgate.engine import applying as module
from lockgate.engine.applying import applying
from lockgate.engine.clock import SystemClock
from lockgate.mapping import removal, upkeep
from tests.integration.mapping.harness import PLAN, Bench, Mapped, Step
from tests.waiting import wait_until

STEP: Step = {"key": ["id"], "select": "SELECT s.id, s.v FROM old.p s", "from_": "old.p"}


def two_targets(bench: Bench) -> tuple[Mapped, Mapped]:
    """Two live targets of one relation."""
    bench.sql(
        "CREATE TABLE old.p (id int PRIMARY KEY, v text)",
        "CREATE TABLE new.a (id int PRIMARY KEY, v text)",
        "CREATE TABLE new.b (id int PRIMARY KEY, v text)",
    )
    return tuple(bench.map(map=name, into=f"new.{name}", **STEP) for name in ("a", "b"))  # type: ignore[return-value]


def follows(bench: Bench) -> bool:
    """Whether the second target holds what was written to the old model."""
    return bench.rows("SELECT id FROM new.b") == [(1,)]


@pytest.mark.parametrize("last", [True, False], ids=["its last mapping", "the target itself"])
def test_a_target_that_goes_as_it_is_taken_does_not_stop_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, last: bool
) -> None:
    """A rollback takes a mapping out between the service's look and its reading of it."""
    first, _ = two_targets(bench)
    gone: list[int] = []

    def hook(point: str) -> None:
        if point == "sync.taken" and not gone:
            gone.append(first.target_id)
            loaded = first.load()
            with bench.conn.transaction():
                removal.forget_mapping(bench.conn, loaded, "a")
                if not last:
                    removal.drop_target(bench.conn, first.target_id)

    monkeypatch.setattr(module, "fault", hook)
    told: list[str] = []
    with applying(bench.sessions, PLAN, SystemClock(), told.append):
        wait_until(lambda: gone, what="the target to be taken")
        bench.sql("INSERT INTO old.p VALUES (1, 'x')")
        wait_until(lambda: follows(bench), what="the other target to follow")
    assert told == []


def test_what_nobody_foresaw_is_said_and_raised(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that dies in silence would leave nobody to apply."""
    two_targets(bench)

    def fail(*_: object) -> None:
        raise ZeroDivisionError("unforeseen")

    monkeypatch.setattr(upkeep, "tidy", fail)
    told: list[str] = []
    with pytest.raises(ZeroDivisionError), applying(bench.sessions, PLAN, SystemClock(), told.append):
        wait_until(lambda: told, what="the service to stop")
    assert told == ["sync stopped: ZeroDivisionError('unforeseen')"]
