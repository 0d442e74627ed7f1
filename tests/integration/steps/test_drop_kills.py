"""A run that drops tables is killed anywhere; the next one finishes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.engine import runner
from lockgate.engine.clock import FakeClock
from lockgate.ledger import audit
from lockgate.plan.load import load_plan
from tests.copies import template_copy
from tests.integration.engine.plans import QUICK, rows, sessions
from tests.integration.steps.retiring import ALLOWED, DEPENDENTS, NAMED, Shop, listed
from tests.killing import Due, call, every_point

pytestmark = pytest.mark.one_server


def apply_there(dsn: str, folder: str, start: str) -> None:
    clock = FakeClock(datetime.fromisoformat(start))
    runner.apply(load_plan(Path(folder)), sessions(dsn, QUICK), clock=clock)


@pytest.mark.sampled
@pytest.mark.slow
def test_killed_anywhere_the_next_run_finishes(dsn: str, tmp_path: Path, due: Due) -> None:
    """Each time in a copy of the database, for there is no way back."""
    here = "tests.integration.steps.test_drop_kills:apply_there"
    shop = Shop(dsn, tmp_path)
    shop.plan(listed([*NAMED]), listed(ALLOWED))
    shop.archive(*DEPENDENTS)
    given = [str(shop.folder / "plan"), shop.clock.now().isoformat()]
    # Copies have no counters, so that the gates are asked before.
    assert call(here, shop.dsn, *given, fault="step.begun").killed
    with template_copy(shop.dsn) as copy:
        there = call(here, copy, *given, log=tmp_path / "there")
        assert there.code == 0, there.err
        expected = outcome(copy)
    points = [point for point in every_point(there.points) if point.startswith(("drop.", "step."))]
    assert {"drop.reading:1", "drop.ready:1", "drop.commit:2", "drop.dropped:2", "step.commit:1"} <= set(points)
    for point in due(points):
        with template_copy(shop.dsn) as copy:
            assert call(here, copy, *given, fault=point).killed, point
            finished = call(here, copy, *given)
            assert finished.code == 0, (point, finished.err)
            assert outcome(copy) == expected, point
            with psycopg.connect(copy) as conn:
                assert audit.verify(conn) == []


def outcome(dsn: str) -> list[list[tuple[Any, ...]]]:
    """What must be the same whatever was killed: the log without times, and what is left."""
    log = "SELECT name, row_count, bytes, content, definition, dependents, backups FROM lockgate.dropped ORDER BY id"
    left = """
        SELECT relnamespace::regnamespace, relname FROM pg_class WHERE relnamespace IN
        (SELECT oid FROM pg_namespace WHERE nspname IN ('app', 'core', 'archive')) ORDER BY 1, 2
    """
    facts = "SELECT payload->>'name' FROM lockgate.chain WHERE payload->>'name' ~ '^(dropped|reclaimed):' ORDER BY seq"
    archived, states = "SELECT name FROM lockgate.archived", "SELECT phase, state FROM lockgate.phases ORDER BY 1"
    return [rows(dsn, query) for query in (log, left, facts, archived, states)]
