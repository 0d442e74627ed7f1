"""A snapshot that is held for long is told of, and ends at its limit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from lockgate.backup import make as making
from lockgate.backup.limit import Limit
from lockgate.engine.clock import FakeClock
from lockgate.engine.context import Silent
from lockgate.engine.session import Sessions
from lockgate.errors import LockgateError
from lockgate.plan.models import Settings
from tests.integration.backup.shop import SHOP
from tests.waiting import wait_until


class Told(Silent):
    def __init__(self, enough: int) -> None:
        self.events: list[str] = []
        self.enough = threading.Event()
        self._wanted = enough

    def event(self, message: str) -> None:
        self.events.append(message)
        if len(self.events) == self._wanted:
            self.enough.set()


@pytest.fixture
def held(dsn: str) -> Iterator[Connection[Any]]:
    with Sessions(dsn).open("test") as conn:
        yield conn


def test_an_old_snapshot_is_told_of_less_and_less_often(held: Connection[Any]) -> None:
    told = Told(3)
    with Limit(held, None, FakeClock(), told):
        assert told.enough.wait(60)
    assert [text.split(":")[0] for text in told.events[:3]] == [
        "the backup's snapshot is 5 min old",
        "the backup's snapshot is 10 min old",
        "the backup's snapshot is 20 min old",
    ]


def test_work_that_is_done_in_time_is_left_alone(held: Connection[Any]) -> None:
    with Limit(held, timedelta(hours=1), FakeClock(), Silent()):
        pass
    assert held.execute("SELECT 1").fetchone() == (1,)


def end_late(held: Connection[Any], error: Exception | None) -> None:
    limit = Limit(held, timedelta(seconds=1), FakeClock(), Silent())
    with limit:
        wait_until(lambda: limit._reached)
        if error:
            raise error


def test_only_what_the_limit_has_ended_is_told_as_such(held: Connection[Any]) -> None:
    with pytest.raises(ZeroDivisionError):
        end_late(held, ZeroDivisionError())
    with pytest.raises(LockgateError, match="not done after 0:00:01"):
        end_late(held, psycopg.errors.QueryCanceled())
    end_late(held, None)


def test_at_its_limit_hashing_and_dumping_end_and_nothing_is_left(dsn: str, tmp_path: Path) -> None:
    sessions = Sessions(dsn, Settings(lock_timeout=timedelta(minutes=10)), FakeClock())
    with psycopg.connect(dsn) as other, psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(SHOP.encode())
        other.execute("LOCK core.orders")
        with pytest.raises(LockgateError, match=r"not done after 2:00:00, and was ended; nothing is left") as caught:
            making.make(sessions, tmp_path, "shop", longest=timedelta(hours=2))
        assert "--max-time" in str(caught.value.hint)
        assert list(tmp_path.iterdir()) == []
        left = (
            b"SELECT FROM pg_stat_activity WHERE application_name = 'lockgate:backup' AND datname = current_database()"
        )
        wait_until(lambda: not conn.execute(left).fetchall(), what="its sessions have ended")


def test_at_its_limit_a_dump_that_hashing_waits_for_ends(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashing is done, pg_dump is not."""
    sessions = Sessions(dsn, Settings(lock_timeout=timedelta(minutes=10)), FakeClock())
    with psycopg.connect(dsn) as other, psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(SHOP.encode())
        conn.execute("CREATE VIEW core.seen AS SELECT 1 AS x")
        other.execute("LOCK core.seen")  # pg_dump locks views, too
        with pytest.raises(LockgateError, match="not done after 2:00:00"):
            making.make(sessions, tmp_path, "shop", longest=timedelta(hours=2))
    assert list(tmp_path.iterdir()) == []
