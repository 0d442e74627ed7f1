"""Legal holds: what is held is not erased, not dropped, and stays in the archive, whatever else was asked for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from lockgate import erasure
from lockgate.archive.holds import Hold
from lockgate.engine import runner
from lockgate.engine.context import Silent
from lockgate.errors import CheckFailed, ExitCode, GateRefused, PlanError, RollbackRefused, UsageError
from lockgate.ledger import audit
from lockgate.report import collect
from lockgate.report.markdown import render
from tests.integration.engine.plans import QUICK, one, rows, sessions, write_plan
from tests.integration.steps.retiring import DROPPED, Shop, Tombstoned, at, nothing_is_dropped
from tests.waiting import wait_until

pytestmark = pytest.mark.one_server

PLAN = """
settings: {lock_timeout: 200ms, lock_retries: 2}
phases:
  - id: retire
    steps:
      - archive: [core.phones, core.faxes]
        retain: 90d
        tombstone: true
"""
SETUP = """
CREATE SCHEMA core;
CREATE TABLE core.phones (person int, phone text);
CREATE TABLE core.faxes (person int);
INSERT INTO core.phones VALUES (1, '1'), (2, '2');
"""


@pytest.fixture
def filled(dsn: str, tmp_path: Path) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(SETUP.encode())
    runner.apply(write_plan(tmp_path, PLAN), sessions(dsn, QUICK))
    return dsn


def hold(dsn: str, *names: str, because: str = "case 12") -> list[Hold]:
    return erasure.hold(sessions(dsn, QUICK), "shop", names, because, "Ana Souza")


def release(dsn: str, names: Sequence[str] = (), number: int | None = None) -> list[Hold]:
    return erasure.release(sessions(dsn, QUICK), "shop", names, number, "closed", "Bob")


def erase(dsn: str) -> int:
    wanted = erasure.Wanted("shop", (), "person", "1", "request 7", "Ana Souza")
    return erasure.erase(sessions(dsn, QUICK), wanted, progress=Silent(), stop=threading.Event()).rows


def test_what_is_held_is_not_erased_and_the_refusal_says_why(filled: str) -> None:
    hold(filled, "archive.phones")
    with pytest.raises(GateRefused) as caught:
        erase(filled)
    assert caught.value.what.startswith("core.phones is under legal hold: hold 1 by Ana Souza since 2")
    assert caught.value.what.endswith(" UTC: case 12")
    assert caught.value.exit_code is ExitCode.GATE_REFUSED
    wanted = erasure.Wanted("shop", (), "person", "1", "request 7", "Ana Souza")
    with pytest.raises(GateRefused):
        erasure.look(sessions(filled, QUICK), wanted)
    assert one(filled, "SELECT count(*) FROM archive.phones") == 2
    release(filled, ["core.phones"])
    assert erase(filled) == 1


def test_a_table_without_such_rows_may_be_held(filled: str) -> None:
    hold(filled, "core.faxes")
    assert erase(filled) == 1


def test_no_rollback_takes_it_out_of_the_archive(filled: str, tmp_path: Path) -> None:
    hold(filled, "core.faxes")
    loaded = write_plan(tmp_path, PLAN)
    with pytest.raises(RollbackRefused, match=r"Phase retire cannot be taken back: core\.faxes is under legal hold"):
        runner.rollback(loaded, sessions(filled, QUICK))
    assert one(filled, "SELECT to_regclass('archive.phones') IS NOT NULL")
    assert rows(filled, "SELECT person FROM core.phones ORDER BY 1") == [(1,), (2,)]
    release(filled)
    runner.rollback(loaded, sessions(filled, QUICK))
    with pytest.raises(PlanError, match="has not archived"):
        hold(filled, "core.faxes")


def test_each_hold_has_its_own_reason(filled: str) -> None:
    hold(filled)
    hold(filled, "core.phones", because="case 13")
    with pytest.raises(UsageError, match=r"core\.phones has 2 legal holds") as caught:
        release(filled, ["core.phones"])
    assert caught.value.hint == "Say which one is released: --number N."
    [released] = release(filled, number=1)
    assert (released.label, released.because) == ("core.phones", "case 12")
    with pytest.raises(UsageError, match="There is no such legal hold"):
        release(filled, number=1)
    with pytest.raises(GateRefused, match="case 13"):
        erase(filled)
    assert [each.id for each in release(filled)] == [2, 3]


def test_the_view_and_the_report_say_so(filled: str) -> None:
    hold(filled, "core.phones")
    query = "SELECT table_name, safe_to_drop, held_since IS NOT NULL, held_by, held_because FROM archive.safe_to_drop"
    with psycopg.connect(filled, autocommit=True) as conn:
        conn.execute("UPDATE lockgate.archived SET retain_until = now() - interval '1 day'")
        assert sorted(rows(filled, query)) == [
            ("faxes", True, False, None, None),
            ("phones", False, True, "Ana Souza", "case 12"),
        ]
        said = render(collect(conn, "shop"))
        release(filled)
        assert sorted(rows(filled, query))[1] == ("phones", True, False, None, None)
        later = render(collect(conn, "shop"))
        assert audit.verify(conn) == []
    assert "core.phones: held by Ana Souza: case 12" in said
    assert "core.phones: hold 1 released by Bob: closed" in later


@pytest.fixture
def shop(dsn: str, tmp_path: Path) -> Shop:
    """Its tables leave views at their old names, which stay and go with them."""
    return Tombstoned(dsn, tmp_path)


def test_what_is_held_is_not_dropped(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the gates, and also when it was held only after they had opened."""
    shop.archive()
    hold(shop.dsn, "core.phones")
    with pytest.raises(GateRefused, match=r"core\.phones is under legal hold"):
        shop.apply()
    assert nothing_is_dropped(shop)
    assert one(shop.dsn, "SELECT to_regclass('core.phones') IS NOT NULL")
    release(shop.dsn)

    def late() -> None:
        hold(shop.dsn, "core.phones", because="late")

    at("drop.ready", late, monkeypatch)
    with pytest.raises(GateRefused, match=r"core\.phones is under legal hold: hold 2 by Ana Souza .*late"):
        shop.apply()
    assert [row[1] for row in rows(shop.dsn, DROPPED)] == ['Cust"omer ä']


def test_a_hold_that_comes_with_the_drop_is_refused_or_holds(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits for the drop's transaction is told that it came too late."""
    shop.archive()
    said: list[str] = []

    def late() -> None:
        try:
            hold(shop.dsn, 'core."Cust""omer ä"')
        except CheckFailed as error:
            said.append(error.what)

    thread = threading.Thread(target=late)

    def meanwhile() -> None:
        thread.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lockgate:hold'"
        waiting += " AND wait_event_type = 'Lock' AND datname = current_database()"
        wait_until(lambda: one(shop.dsn, waiting) == 1)

    at("drop.commit", meanwhile, monkeypatch)
    shop.apply()
    thread.join()
    assert said == ['core.Cust"omer ä was dropped, or taken out of the archive, just now']
    assert rows(shop.dsn, "SELECT FROM lockgate.holds") == []


def test_a_table_is_dropped_as_it_is_after_an_erasure(shop: Shop) -> None:
    """Its content is what was measured then, backups from before are none of it, and the log tells."""
    shop.archive()
    wanted = erasure.Wanted("shop", ("core.phones",), "customer", "1", "request 7", "Ana Souza")
    erasure.erase(shop.sessions, wanted, progress=Silent(), stop=threading.Event())
    with pytest.raises(CheckFailed) as caught:
        shop.apply()
    assert caught.value.why is not None
    assert caught.value.why.startswith("Backup 1 still holds the 2 rows that were erased from core.phones")
    assert one(shop.dsn, "SELECT to_regclass('core.phones') IS NOT NULL")
    shop.back_up(name="anew")
    shop.back_up("archive.*", name="alone anew")
    shop.sample()
    shop.apply()
    assert rows(shop.dsn, "SELECT name, row_count, erased_rows FROM lockgate.dropped ORDER BY id") == [
        ('Cust"omer ä', 2, 0),
        ("phones", 1, 2),
    ]
    assert one(shop.dsn, "SELECT to_regclass('core.phones')") is None
