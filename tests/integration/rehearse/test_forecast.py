"""What a rehearsal says of the time in production."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest

from lockgate.engine.clock import FakeClock, SystemClock
from lockgate.rehearse.copy import Copy, Settings
from lockgate.rehearse.filling import Filled
from lockgate.rehearse.forecasting import Stopwatch, of_phases, of_steps
from lockgate.rehearse.running import rehearse
from lockgate.rehearse.tracing import Lock, TracedStep
from tests.integration.engine.plans import Told, sessions, write_plan
from tests.integration.rehearse.test_rehearse import run

PLAN = """
phases:
  - id: one
    steps:
      - {id: locks, sql: "LOCK TABLE t"}
      - {id: elsewhere, sql: "CREATE TABLE u (x int)"}
    undo: [{sql: DROP TABLE u}]
"""


def watch(phase: float, **steps: float) -> Stopwatch:
    made = {("one", name): seconds for name, seconds in steps.items()}
    return Stopwatch("p", FakeClock(), {"one": phase}, made)


def traced(name: str, *locked: str) -> TracedStep:
    locks = tuple(Lock(relation, "AccessExclusiveLock", 0.1, True) for relation in locked)
    return TracedStep("one", name, "sql", 9.0, locks, (), (), (), ())


COPY = Copy(
    sessions=cast("Any", None),
    wanted=Settings(),
    server="here",
    schema=cast("Any", None),
    shapes=(),
    tables=(Filled("public.t", 100, 20), Filled("public.empty", 0, 0), Filled("public.unknown", None, 20)),
    production={"public.t": 100, "public.empty": 0},
    remarks=(),
    folder=Path(),
)
STEPS = [traced("grows", "public.t"), traced("stays", "public.t"), traced("odd", "public.t"), traced("new")]


def test_what_grows_with_the_rows_is_told_from_what_does_not() -> None:
    here = watch(4.0, grows=3.0, stays=0.5, odd=0.2, new=0.3)
    least = watch(1.0, grows=1.0, stays=0.5, odd=0.4, new=0.3)
    found = {each.step.step: each for each in of_steps(STEPS, here, least, COPY)}
    assert {name: each.factor for name, each in found.items()} == {"grows": 5, "stays": 5, "odd": 5, "new": None}
    seconds = {name: each.production_seconds for name, each in found.items()}
    assert seconds == {"grows": pytest.approx(11.0), "stays": pytest.approx(0.5), "odd": 0.2, "new": None}
    (phase,) = of_phases(here, least, COPY)
    assert phase.factor == 5.0
    assert phase.production_seconds == pytest.approx(16.0)


def test_where_hardly_any_rows_were_not_tried_all_of_it_is_taken_to_grow() -> None:
    here = watch(4.0, grows=3.0)
    found = {each.step.step: each for each in of_steps(STEPS, here, None, COPY)}
    assert (found["grows"].least_seconds, found["grows"].production_seconds) == (None, 15.0)
    assert found["stays"].seconds == 9.0, "as it was traced, where the ledger does not tell"


def test_both_copies_are_timed(dsn: str, tmp_path: Path) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE TABLE t (x int); INSERT INTO t SELECT generate_series(1, 100); ANALYZE t")
    found = run(write_plan(tmp_path, PLAN), dsn, most=20)
    locks, elsewhere = found.steps
    assert (locks.factor, elsewhere.factor) == (5.0, None)
    assert locks.least_seconds is not None
    assert locks.least_seconds > 0
    assert locks.seconds != locks.step.seconds, "the time without traffic counts"
    (phase,) = found.phases
    assert phase.least_seconds is not None
    assert phase.seconds > locks.seconds
    assert found.production_seconds == phase.production_seconds
    assert found.forecast == {("one", "locks"): locks.production_seconds}


CHUNKS = """
settings: {chunk_rows: 1000}
phases:
  - id: one
    steps:
      - {sql: "CREATE TABLE n (id int PRIMARY KEY)", id: made}
      - {map: n, into: public.n, key: [id], from: public.t, select: SELECT t.x AS id FROM public.t}
    undo: [{sql: DROP TABLE n}]
"""


def test_a_share_of_the_rows_is_copied_in_as_many_chunks_as_all_would_be(dsn: str, tmp_path: Path) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE TABLE t (x int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 40000); ANALYZE t")
    loaded = write_plan(tmp_path, CHUNKS)

    def chunks(wanted: Settings) -> int:
        told = Told()
        stop = threading.Event()
        found = rehearse(loaded, sessions(dsn), wanted, progress=told, clock=SystemClock(), stop=stop)
        assert found.good
        assert found.plan_digest == loaded.digest
        (line, *_) = [event for event in told.events if "4000 rows written" in event]
        return int(line.rpartition(" in ")[2].split()[0])

    # Four first chunks are planned together; what runs long is cut smaller.
    assert chunks(Settings(on=dsn, share=0.1)) >= 10
    assert chunks(Settings(on=dsn, rows=4000)) < 10
