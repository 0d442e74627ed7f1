"""Samples that tell nothing are forgotten in time, and no verdict changes by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lockgate.usage import samples
from lockgate.usage.samples import Sample
from lockgate.usage.window import READS, WRITES, judge
from tests.copies import another_database
from tests.databases import Templates, with_ledger
from tests.integration.gates.test_unwritten import Shop

pytestmark = pytest.mark.one_server  # it is about the tool's own rows

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=90)

# What happened before a sample, and how many minutes after the one before it was taken.
_EVENTS = st.sampled_from(
    ["", "", "", "", "", "read", "write", "own", "own unsure", "sure", "reset", "zeroed", "restart", "other", "killed"]
)
_HISTORY = st.lists(st.tuples(_EVENTS, st.integers(1, 40)), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def history(server_dsn: str, templates: Templates) -> Iterator[psycopg.Connection[Any]]:
    """A ledger that is not changed by an example."""
    template = templates.of(server_dsn, with_ledger)
    with another_database(server_dsn, template) as made, psycopg.connect(made, autocommit=True) as conn:
        yield conn


def taken(events: list[tuple[str, int]]) -> list[Sample]:
    """Samples of a table with such a history."""
    last = Sample(1, "core", "phones", 5, 0, 5, 0, 0, None, None, None, START, START, START)
    own = sure = 0
    found = [last]
    for event, minutes in events:
        at = last.sampled_at + timedelta(minutes=minutes)
        last = replace(last, sampled_at=at, read_at=at, gaps=["check, killed"] if event == "killed" else [])
        match event:
            case "read":
                last = replace(last, seq_scan=last.seq_scan + 1)
            case "write":
                last = replace(last, n_tup_upd=last.n_tup_upd + 2)
            case "own":
                last = replace(last, seq_scan=last.seq_scan + 1 + own - sure)
                own += 1
                sure = own
            case "own unsure":
                own += 1
            case "sure":
                last = replace(last, seq_scan=last.seq_scan + own - sure)
                sure = own
            case "reset":
                last = replace(last, stats_reset=at)
            case "zeroed":
                last = replace(last, n_tup_ins=0)
            case "restart":
                last = replace(last, started_at=at)
            case "other":
                last = replace(last, relid=last.relid + 1)
        last = replace(last, own={"check": {"seq_scan": own}}, own_counted={"seq_scan": sure})
        found.append(last)
    return found


def verdict(conn: psycopg.Connection[Any], asked: datetime, counted: tuple[str, ...]) -> Any:
    """What a gate would say: what it found, and since when nobody came, if that is after what it asks for."""
    kept = samples.kept(conn, "shop", "core", "phones", asked)
    if not kept:
        return None
    last = kept[-1]
    present = replace(last, sampled_at=last.sampled_at + timedelta(minutes=1), seq_scan=last.seq_scan + 1)
    window = judge([*kept, present], counted, asked)
    return window.hits, window.restarts, max(window.since, asked)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([("own unsure", 1), ("read", 1), ("sure", 1), ("", 1), ("", 1), ("read", 1)])
@example([("", 5)] * 30)
@given(_HISTORY)
def test_no_verdict_changes(history: psycopg.Connection[Any], events: list[tuple[str, int]]) -> None:
    found = taken(events)
    moments = [one.sampled_at + timedelta(seconds=seconds) for one in found for seconds in (-1, 0, 1)]
    questions = [(asked, counted) for asked in moments for counted in (READS + WRITES, WRITES)]
    with history.transaction(force_rollback=True):
        samples.keep(history, "shop", found)
        before = [verdict(history, *question) for question in questions]
        samples.thin(history, "shop", NOW)
        assert [verdict(history, *question) for question in questions] == before


def test_what_is_idle_is_thinned_to_one_an_hour_when_it_is_older_than_a_day(history: psycopg.Connection[Any]) -> None:
    with history.transaction(force_rollback=True):
        samples.keep(history, "shop", taken([("", 1)] * (60 * 36)))
        assert samples.thin(history, "other", START + timedelta(hours=36)) == 0
        samples.thin(history, "shop", START + timedelta(hours=36))
        left = [one.sampled_at - START for one in samples.kept(history, "shop", "core", "phones", START)]
    hours = [timedelta(hours=hour) for hour in range(12)]
    assert left == [*hours, *(timedelta(hours=12, minutes=minute) for minute in range(24 * 60 + 1))]


def test_sampling_thins_by_itself(conn: psycopg.Connection[Any], dsn: str, tmp_path: Path) -> None:
    shop = Shop(conn, dsn, tmp_path / "plan")
    for _ in range(8):
        shop.sample()
        shop.passes(minutes=10)
    shop.passes(days=2)
    shop.sample()
    count = "SELECT count(*) FROM lockgate.usage_samples WHERE table_name = 'old_faxes'"
    assert conn.execute(count.encode()).fetchone() == (3,)  # the first of two hours, and the last
