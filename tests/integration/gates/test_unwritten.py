"""The gate that asks whether tables are still written, and `lockgate sample`, which it needs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.engine.clock import FakeClock
from lockgate.engine.gating import look
from lockgate.errors import LedgerError, UsageError
from lockgate.gates.base import GateResult, Refusal
from lockgate.plan.load import LoadedPlan
from lockgate.sampling import Sampled, sample
from tests.integration.engine.plans import sessions, write_plan

PLAN = """
phases:
  - id: retire
    before:
      - {gate}
    steps: [{{sql: SELECT 1}}]
"""


class Shop:
    """An old table with rows, a plan whose one gate asks about it, and a clock that can be turned."""

    def __init__(self, conn: psycopg.Connection[Any], dsn: str, folder: Path) -> None:
        self.conn, self.sessions, self.folder = conn, sessions(dsn), folder
        self.clock = FakeClock()
        self.act("CREATE SCHEMA core CREATE TABLE old_phones (id int) CREATE TABLE old_faxes (id int)")
        self.gate("unwritten: {tables: [core.old_*], for: 1d}")

    def gate(self, text: str) -> None:
        self.loaded: LoadedPlan = write_plan(self.folder, PLAN.format(gate=text))

    def act(self, statement: str) -> None:
        self.conn.execute(statement.encode())
        self.conn.execute("SELECT pg_stat_force_next_flush()")

    def sample(self) -> Sampled:
        return sample(self.loaded, self.sessions, self.clock)

    def passes(self, **time: float) -> None:
        self.clock.advance(timedelta(**time))

    def ask(self) -> GateResult:
        [result] = look(self.loaded, self.loaded.plan.phases[0], self.sessions, self.clock)
        return result


@pytest.fixture
def shop(conn: psycopg.Connection[Any], dsn: str, tmp_path: Path) -> Shop:
    return Shop(conn, dsn, tmp_path)


def test_without_a_sample_it_says_how_to_take_one(shop: Shop) -> None:
    result = shop.ask()
    assert (result.passed, result.refusal) == (False, Refusal.REFUSED)
    assert result.what == "there is no sample yet of core.old_faxes, core.old_phones"
    assert f"`lockgate sample {shop.folder}`" in str(result.hint)


def test_it_waits_until_the_time_is_over(shop: Shop) -> None:
    assert [one.label for one in shop.sample().samples] == ["core.old_faxes", "core.old_phones"]
    begin = shop.clock.now()
    shop.passes(hours=23)
    result = shop.ask()
    assert (result.passed, result.refusal) == (False, Refusal.TIME)
    assert result.ready_at == begin + timedelta(days=1)
    shop.passes(hours=1)
    result = shop.ask()
    assert result.passed
    assert result.refusal is None
    assert "not looked at: TRUNCATE" in result.what
    assert [fact.name for fact in result.evidence] == ["unwritten:core.old_faxes", "unwritten:core.old_phones"]
    assert all(fact.result["passed"] for fact in result.evidence)


def test_a_table_that_came_later_is_named_when_only_its_time_is_too_short(shop: Shop) -> None:
    shop.sample()
    shop.passes(days=1)
    shop.act("CREATE TABLE core.old_letters (id int)")
    shop.sample()
    shop.passes(hours=1)
    result = shop.ask()
    assert (result.passed, result.refusal) == (False, Refusal.TIME)
    assert "before 2026-01-03 00:00:00 UTC; the time is over for all but core.old_letters" in result.what


def test_a_write_since_the_last_sample_is_named(shop: Shop) -> None:
    shop.sample()
    shop.passes(days=2)
    shop.act("INSERT INTO core.old_phones VALUES (1), (2)")
    result = shop.ask()
    assert (result.passed, result.refusal) == (False, Refusal.REFUSED)
    assert result.what == (
        "still written: core.old_phones: 2 rows inserted between 2026-01-01 00:00:00 UTC and 2026-01-03 00:00:00 UTC"
    )


def test_a_write_that_was_long_ago_is_forgotten(shop: Shop) -> None:
    shop.sample()
    shop.act("INSERT INTO core.old_phones VALUES (1)")
    shop.passes(hours=1)
    shop.sample()
    shop.passes(hours=23)
    assert shop.ask().refusal is Refusal.REFUSED
    shop.passes(hours=1)
    assert shop.ask().passed


def test_reads_do_not_matter(shop: Shop) -> None:
    shop.sample()
    shop.act("SELECT count(*) FROM core.old_phones")
    shop.passes(days=1)
    assert shop.ask().passed


def test_counters_that_were_set_to_zero_begin_the_time_anew(shop: Shop) -> None:
    shop.sample()
    shop.passes(days=2)
    shop.act("SELECT pg_stat_reset()")
    shop.sample()
    result = shop.ask()
    assert result.refusal is Refusal.TIME
    assert "counts anew for core.old_faxes since 2026-01-03 00:00:00 UTC: the server's counters were" in result.what


def test_a_table_that_is_not_there_is_no_yes(shop: Shop) -> None:
    shop.gate("unwritten: {tables: [core.old_phones, core.gone], for: 1d}")
    assert shop.sample().empty == ("core.gone",)
    shop.passes(days=2)
    result = shop.ask()
    assert (result.refusal, result.what) == (Refusal.REFUSED, "there is no table core.gone")


def test_asking_leaves_no_trace(shop: Shop) -> None:
    shop.sample()
    for _ in range(3):
        shop.ask()
    assert shop.conn.execute("SELECT count(*) FROM lockgate.usage_samples").fetchone() == (2,)
    shop.passes(days=1)
    assert shop.ask().passed


def test_a_foreign_table_is_said_not_to_be_looked_at(shop: Shop) -> None:
    shop.act("CREATE FOREIGN DATA WRAPPER nowhere")
    shop.act("CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere")
    shop.act("CREATE FOREIGN TABLE core.old_far (id int) SERVER nowhere")
    taken = shop.sample()
    assert taken.uncounted == ("core.old_far",)
    assert "core.old_far" not in [one.label for one in taken.samples]
    shop.passes(days=1)
    assert "foreign table core.old_far" in shop.ask().what


def test_a_plan_without_such_a_gate_has_nothing_to_sample(shop: Shop) -> None:
    shop.gate("query: SELECT 1\n        equals: 1")
    with pytest.raises(UsageError, match="No gate of this plan asks"):
        shop.sample()


def test_a_sample_needs_a_ledger(shop: Shop) -> None:
    shop.act("DROP SCHEMA lockgate CASCADE")
    with pytest.raises(LedgerError, match="There is no ledger"):
        shop.sample()
    assert shop.ask().refusal is Refusal.REFUSED
