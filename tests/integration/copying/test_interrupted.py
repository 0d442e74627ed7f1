"""A copy that is killed, or whose network is cut, goes on where it was."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lockgate.engine import runner
from lockgate.engine.undoing import BEGINNING
from lockgate.plan.load import load_plan
from tests.integration.copying.conftest import VARIABLE
from tests.integration.copying.test_copy import FILLED, PLAN, SHOP, execute, facts, load, same
from tests.integration.copying.test_way_back import BACK, COUNTS, SWITCH, WRITTEN_HERE
from tests.integration.engine.plans import Told, one, rows, sessions
from tests.killing import Due, call
from tests.pooling import Pooler
from tests.proxy import Proxy

LATE = """
UPDATE companies SET settings = '5' WHERE id = 3;
DELETE FROM bookings WHERE client IN (5, 6);
DELETE FROM bookings WHERE ctid = (SELECT ctid FROM bookings WHERE what !~ '^(here|late)' LIMIT 1);
INSERT INTO bookings VALUES (1, '2028-01-01', 'late');
"""


def forth(dsn: str, old: str, folder: str) -> None:
    """Load, change something there, and copy it again; what was done is not done twice."""
    told = Told()
    plan = load_plan(Path(folder))
    runner.apply(plan, sessions(dsn), to="load", progress=told)
    if not one(old, "SELECT count(*) FROM bookings WHERE what = 'late'"):
        execute(old, LATE)
    runner.apply(plan, sessions(dsn), progress=told)


def back(dsn: str, folder: str) -> None:
    runner.rollback(load_plan(Path(folder)), sessions(dsn), to=BEGINNING)


@pytest.fixture
def shop(dsn: str, old: str) -> tuple[str, str]:
    execute(dsn, SHOP)
    execute(old, SHOP + FILLED)
    return dsn, old


@pytest.mark.one_server
@pytest.mark.sampled
def test_a_kill_at_every_point_of_forth_and_back(shop: tuple[str, str], tmp_path: Path, due: Due) -> None:
    """One pair of databases: after each kill the command is finished, then all is taken back and begun again."""
    dsn, old = shop
    folder = tmp_path / "plan"
    load(folder, BACK + SWITCH)
    clean = call("tests.integration.copying.test_interrupted:forth", dsn, old, str(folder), log=tmp_path / "forth")
    assert clean.code == 0, clean.err
    # At the first pass: there is less to do in later rounds.
    points = [f"{p}:1" for p in dict.fromkeys(clean.points) if p.startswith("copy.")]
    assert len(points) > 6
    execute(dsn, WRITTEN_HERE)
    gone = call("tests.integration.copying.test_interrupted:back", dsn, str(folder), log=tmp_path / "back")
    assert gone.code == 0, gone.err
    back_points = [f"{p}:1" for p in dict.fromkeys(gone.points) if p.startswith(("copy.", "carry."))]
    assert set(back_points) >= {"carry.written:1", "carry.committed:1", "carry.done:1"}
    assert rows(dsn, COUNTS) == [(0, 0, 0)]
    wanted = rows(old, "SELECT t::text FROM bookings t ORDER BY 1")
    for number, point in enumerate(due(points)):
        execute(old, "DELETE FROM bookings WHERE what = 'late'")
        killed = call("tests.integration.copying.test_interrupted:forth", dsn, old, str(folder), fault=point)
        assert killed.killed, (point, killed.err)
        forth(dsn, old, str(folder))
        same(dsn, old)
        execute(dsn, f"INSERT INTO bookings VALUES (1, '2029-01-01'::date + {number}, 'here {number}')")
        fault = back_points[number % len(back_points)]
        killed = call("tests.integration.copying.test_interrupted:back", dsn, str(folder), fault=fault)
        assert killed.killed, (fault, killed.err)
        back(dsn, str(folder))
        assert rows(dsn, COUNTS) == [(0, 0, 0)], fault
        assert one(old, f"SELECT count(*) FROM bookings WHERE what = 'here {number}'") == 1, fault
    assert len(wanted) > 4000


def _socket(dsn: str) -> str:
    return f"{conninfo_to_dict(dsn)['host']}/.s.PGSQL.{conninfo_to_dict(dsn).get('port') or 5432}"


def _through(dsn: str, port: int) -> str:
    return make_conninfo(dsn, host="127.0.0.1", port=port)


def test_a_network_that_is_cut_costs_no_row(
    shop: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn, old = shop
    with Proxy(_socket(old)) as proxy:
        monkeypatch.setenv(VARIABLE, _through(old, proxy.port))
        # The rows of one chunk, and the hashes of one pass, are on their way when it is cut.
        proxy.lose_answer(b"COPY (", 3)
        proxy.lose_answer(b"bit_xor", 2)
        told = Told()
        ended = threading.Event()

        class Cuts(Told):
            def event(self, message: str) -> None:
                told.event(message)
                if "trying again" in message and not ended.is_set():
                    ended.set()
                    proxy.cut()

        runner.apply(load(tmp_path), sessions(dsn), progress=Cuts())
        assert proxy.cuts >= 2
    same(dsn, old)
    assert sum("trying again in" in event for event in told.events) >= 2, told.events
    assert facts(dsn)["rows_loaded"] == 8020


@pytest.mark.one_server
def test_a_pooler_may_stand_before_the_source(
    shop: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn, old = shop
    with Pooler(_socket(old), backends=1) as pooler:
        monkeypatch.setenv(VARIABLE, _through(old, pooler.port))
        runner.apply(load(tmp_path), sessions(dsn))
    same(dsn, old)


@pytest.mark.one_server
def test_an_ordinary_role_on_both_sides(shop: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dsn, old = shop
    for side in (dsn, old):
        execute(
            side,
            "DO $$BEGIN CREATE ROLE copy_tester LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$",
        )
    execute(old, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO copy_tester")
    with psycopg.connect(dsn, autocommit=True) as conn:
        for table in ("companies", "clients", "bookings"):
            conn.execute(f"ALTER TABLE {table} OWNER TO copy_tester".encode())
        conn.execute(f"GRANT CREATE ON DATABASE {conn.info.dbname} TO copy_tester".encode())
    monkeypatch.setenv(VARIABLE, make_conninfo(old, user="copy_tester"))
    runner.apply(load(tmp_path, PLAN), sessions(make_conninfo(dsn, user="copy_tester")))
    same(dsn, old)
    execute(dsn, "DROP OWNED BY copy_tester CASCADE")
