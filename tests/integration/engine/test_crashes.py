"""The database goes away in the middle of a run."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest

from lockgate.embedded import EmbeddedServer
from lockgate.engine import runner
from lockgate.errors import ConnectionLost, ExitCode
from tests.conftest import StartServer
from tests.integration.engine.plans import Told, let_go, make_held, one, rows, sessions, write_plan
from tests.waiting import wait_until

PLAN = """
settings: {lock_retries: %d}
phases:
  - id: a
    steps:
      - {sql: CREATE TABLE t (x int), id: one}
      - {sql: INSERT INTO t SELECT held(), id: two}
      - {sql: "UPDATE t SET x = x + 1; CREATE INDEX CONCURRENTLY i ON t (x)", id: three, outside_transaction: true}
    after: [{query: SELECT x FROM t, equals: 2}]
"""
INSERTING = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'INSERT INTO t%' AND state = 'active'"


def crash(server: EmbeddedServer, come_back: bool) -> threading.Thread:
    def work() -> None:
        wait_until(lambda: rows(server.dsn(), INSERTING))
        server.kill()
        if come_back:
            server.start()
            let_go(server.dsn())

    make_held(server.dsn())

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_server_that_comes_back_is_waited_for(own_server: StartServer, tmp_path: Path) -> None:
    server = own_server()
    told = Told()
    crasher = crash(server, come_back=True)
    result = runner.apply(write_plan(tmp_path, PLAN % 100), sessions(server.dsn()), progress=told)
    crasher.join()
    assert result.phases == ("a",)
    assert rows(server.dsn(), "SELECT x FROM t") == [(2,)]
    assert any("trying again" in event for event in told.events)


def test_a_server_that_does_not_is_said_and_a_later_run_goes_on(own_server: StartServer, tmp_path: Path) -> None:
    server = own_server()
    crasher = crash(server, come_back=False)
    with pytest.raises(ConnectionLost) as caught:
        runner.apply(write_plan(tmp_path, PLAN % 1), sessions(server.dsn()))
    crasher.join()
    assert caught.value.exit_code is ExitCode.FAILED
    assert caught.value.where == "plan.yaml:8:9"
    server.start()
    let_go(server.dsn())
    assert one(server.dsn(), "SELECT state FROM lockgate.steps WHERE step = 'two'") == "running"
    runner.apply(write_plan(tmp_path, PLAN % 1), sessions(server.dsn()))
    assert rows(server.dsn(), "SELECT x FROM t") == [(2,)]
    with psycopg.connect(server.dsn()) as conn:
        assert conn.execute("SELECT count(*) FROM lockgate.chain WHERE kind = 'step'").fetchone() == (3,)
