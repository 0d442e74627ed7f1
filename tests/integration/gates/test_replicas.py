"""The gate that asks whether tables are used, where standbys are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.embedded import EmbeddedServer
from lockgate.errors import PlanError
from lockgate.gates.base import GateResult, Refusal
from lockgate.sampling import Sampled
from tests.conftest import StartServer
from tests.copies import standby_of
from tests.databases import with_ledger
from tests.integration.gates.test_unwritten import Shop
from tests.waiting import wait_until

GATE = "unused: {tables: [core.old_phones], for: 30d, replicas: [REPORTS_URL]}"
pytestmark = pytest.mark.one_server


@dataclass
class Pair:
    """A shop whose gate names a standby."""

    primary: EmbeddedServer
    standby: EmbeddedServer
    shop: Shop

    def read_there(self) -> None:
        """Somebody reads the table on the standby, as soon as it is there."""
        with psycopg.connect(self.standby.dsn(), autocommit=True) as conn:
            conn.execute("SELECT count(*) FROM core.old_phones")
            conn.execute("SELECT pg_stat_force_next_flush()")

    def replayed(self) -> None:
        row = self.shop.conn.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
        with psycopg.connect(self.standby.dsn(), autocommit=True) as conn:
            query = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
            wait_until(lambda: conn.execute(query, row).fetchone() == (True,), what="the standby has replayed")

    def sample(self) -> Sampled:
        self.replayed()
        return self.shop.sample()

    def after_a_month(self) -> GateResult:
        self.shop.passes(days=30)
        return self.shop.ask()


@pytest.fixture
def pair(own_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    primary = own_server(fsync="off")
    with_ledger(primary.dsn())
    with standby_of(primary, fsync="off") as standby:
        monkeypatch.setenv("REPORTS_URL", standby.dsn())
        with psycopg.connect(primary.dsn(), autocommit=True) as conn:
            shop = Shop(conn, primary.dsn(), tmp_path / "plan")
            shop.gate(GATE)
            yield Pair(primary, standby, shop)


def test_it_opens_when_nobody_came_on_any_node(pair: Pair) -> None:
    taken = pair.sample()
    assert [(one.label, one.node) for one in taken.samples] == [
        ("core.old_phones", "primary"),
        ("core.old_phones", "REPORTS_URL"),
    ]
    result = pair.after_a_month()
    assert result.passed, result.what
    assert "1 table not used" in result.what
    assert [fact.name for fact in result.evidence][:2] == [
        "unused:core.old_phones",
        "unused:core.old_phones on REPORTS_URL",
    ]
    assert "replicas" not in str(result.evidence)


def test_a_read_on_a_standby_is_a_hit_that_names_it(pair: Pair) -> None:
    pair.sample()
    pair.shop.passes(days=1)
    pair.read_there()
    pair.sample()
    pair.shop.passes(days=28)
    result = pair.shop.ask()
    assert result.refusal is Refusal.REFUSED
    assert (
        "core.old_phones on REPORTS_URL: 1 sequential scans between 2026-01-01 00:00:00 UTC and 2026-01-02"
        in result.what
    )
    pair.shop.passes(days=2)
    assert pair.shop.ask().passed


def test_a_read_since_the_last_sample_is_seen_and_own_work_on_the_primary_is_not_taken_off_it(pair: Pair) -> None:
    pair.sample()
    with pair.shop.sessions.open("reconcile") as own:
        own.execute("SELECT count(*) FROM core.old_phones")
    pair.read_there()
    result = pair.after_a_month()
    assert "core.old_phones on REPORTS_URL: 1 sequential scans between" in result.what
    assert "Lockgate's own, which does not count: core.old_phones: 1 sequential scans (1 reconcile)" in result.what
    assert "maybe by" not in result.what


def test_a_standby_that_was_started_again_begins_its_own_time_anew(pair: Pair) -> None:
    pair.sample()
    pair.shop.passes(days=3)
    pair.standby.restart()
    pair.sample()
    pair.shop.passes(days=27)
    result = pair.shop.ask()
    assert result.refusal is Refusal.TIME
    assert "for core.old_phones on REPORTS_URL since 2026-01-04" in result.what
    assert "the server was started again" in result.what
    pair.shop.passes(days=3)
    assert pair.shop.ask().passed


def test_counters_of_a_standby_that_were_set_to_zero_are_noticed(pair: Pair) -> None:
    pair.sample()
    with psycopg.connect(pair.standby.dsn(), autocommit=True) as conn:
        conn.execute("SELECT pg_stat_reset()")
    result = pair.after_a_month()
    assert result.refusal is Refusal.TIME
    assert "core.old_phones on REPORTS_URL since" in result.what


def test_a_standby_that_cannot_be_reached_is_listed_and_keeps_the_gate_closed(pair: Pair) -> None:
    pair.sample()
    pair.standby.stop()
    taken = pair.shop.sample()
    assert "could not" in taken.unreached["REPORTS_URL"] or "cannot" in taken.unreached["REPORTS_URL"]
    result = pair.after_a_month()
    assert result.refusal is Refusal.REFUSED
    assert "replicas that could not be looked at: REPORTS_URL: " in result.what
    listed: Any = result.evidence[-1].result["not_looked_at"]
    assert any(each.startswith("replica REPORTS_URL: ") for each in listed)


def test_what_was_read_before_the_first_sample_of_a_standby_is_unknown(pair: Pair) -> None:
    pair.standby.stop()
    pair.shop.sample()
    pair.standby.start()
    result = pair.after_a_month()
    assert result.refusal is Refusal.REFUSED
    assert result.what == "there is no sample yet of core.old_phones on REPORTS_URL"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "environment variable REPORTS_URL is not set"),
        ("postgresql://me:sec ret@x/y", "the address in REPORTS_URL cannot be read"),
        ("primary", "it is no standby"),
        ("other", "its address names database template1, not postgres"),
    ],
)
def test_an_address_of_something_else_is_no_standby(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, address: str, why: str
) -> None:
    addresses = {"primary": pair.primary.dsn(), "other": pair.standby.dsn("template1")}
    monkeypatch.setenv("REPORTS_URL", addresses.get(address, address))
    assert pair.shop.sample().unreached == {"REPORTS_URL": why}


def test_an_address_in_the_plan_is_refused_and_not_shown(tmp_path: Path, conn: Any, dsn: str) -> None:
    shop = Shop(conn, dsn, tmp_path / "plan")
    with pytest.raises(PlanError, match="must be the name of an environment variable") as refused:
        shop.gate(GATE.replace("REPORTS_URL", '"postgresql://me:secret@host/x"'))
    assert "secret" not in str(refused.value)
