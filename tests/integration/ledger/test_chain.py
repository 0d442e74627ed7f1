"""Appending to the chain."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection, errors

from lockgate.errors import LedgerError
from lockgate.ledger import canonical, chain, runs
from lockgate.ledger.fields import GENESIS
from tests.integration.ledger.conftest import Connect

EMPTY = f"0:{GENESIS}"


def note(conn: Connection[Any], text: str) -> chain.ChainEntry:
    return chain.append(conn, kind="event", plan="p", payload={"text": text})


def test_an_empty_chain_is_sound(ledger: Connection[Any]) -> None:
    assert chain.head(ledger) == EMPTY
    assert chain.verify(ledger, EMPTY) == []


def test_entries_come_back_as_they_were_appended(ledger: Connection[Any]) -> None:
    run_id = runs.start(ledger, plan="p", digest="d", command="apply")
    first = chain.append(
        ledger,
        kind="gate",
        plan="p",
        phase="one",
        step="s",
        run_id=run_id,
        payload={"amount": Decimal("1.50"), "big": 2**60, "real": 2.0, "none": None},
    )
    second = chain.append(ledger, kind="event", plan="p", payload={})
    assert chain.entries(ledger, "p") == [first, second]
    assert first.payload == {"amount": "1.50", "big": "1152921504606846976", "real": 2.0, "none": None}
    assert (first.seq, first.run_id, first.prev, second.prev) == (1, run_id, GENESIS, first.hash)
    assert chain.head(ledger) == f"2:{second.hash}"


def test_entries_of_some_kinds_and_of_one_phase(ledger: Connection[Any]) -> None:
    for plan, kind, phase in [
        ("p", "gate", "one"),
        ("p", "check", "one"),
        ("p", "check", "two"),
        ("q", "check", "one"),
    ]:
        chain.append(ledger, kind=kind, plan=plan, phase=phase, payload={})  # type: ignore[arg-type]
    assert [entry.seq for entry in chain.entries(ledger, "p")] == [1, 2, 3]
    assert [entry.seq for entry in chain.entries(ledger, "p", ["check", "undo"])] == [2, 3]
    assert [entry.seq for entry in chain.entries(ledger, "p", ["check"], "two")] == [3]
    assert [entry.seq for entry in chain.entries(ledger, "p", phase="one")] == [1, 2]


def test_evidence_has_name_query_and_result(ledger: Connection[Any]) -> None:
    when = datetime(2026, 1, 31, tzinfo=UTC)
    facts: dict[str, Any] = {"plan": "p", "phase": "one", "step": None, "name": "n", "query": "SELECT 1"}
    chain.evidence(ledger, **facts, result={"rows": 5})
    chain.evidence(ledger, **facts, result=7, at=when)
    plain, dated = chain.entries(ledger, "p", ["evidence"])
    assert plain.payload == {"name": "n", "query": "SELECT 1", "result": {"rows": 5}}
    assert dated.payload == {**plain.payload, "result": 7, "measured_at": "2026-01-31T00:00:00.000000Z"}


def test_an_entry_and_its_effect_commit_together_or_not_at_all(ledger: Connection[Any]) -> None:
    ledger.execute("CREATE TABLE public.effect (n int)")
    note(ledger, "kept")
    with ledger.transaction(force_rollback=True):
        ledger.execute("INSERT INTO public.effect VALUES (1)")
        note(ledger, "rolled back")
    assert ledger.execute("SELECT count(*) FROM public.effect").fetchone() == (0,)
    assert [entry.payload["text"] for entry in chain.entries(ledger, "p")] == ["kept"]
    assert chain.verify(ledger) == []


def test_a_connection_without_autocommit_keeps_its_own_transaction(ledger: Connection[Any], dsn: str) -> None:
    with psycopg.connect(dsn) as other:
        note(other, "not committed")
        other.rollback()
        note(other, "committed")
        other.commit()
    assert [entry.payload["text"] for entry in chain.entries(ledger, "p")] == ["committed"]


def test_the_time_is_the_servers_at_the_append_not_at_the_begin(ledger: Connection[Any]) -> None:
    with ledger.transaction():
        begin = ledger.execute("SELECT now()").fetchone()
        ledger.execute("SELECT pg_sleep(0.02)")
        entry = note(ledger, "late")
        end = ledger.execute("SELECT clock_timestamp()").fetchone()
    assert begin is not None
    assert end is not None
    assert begin[0] + timedelta(milliseconds=20) <= entry.at <= end[0]


def test_the_hash_does_not_depend_on_the_sessions_settings(ledger: Connection[Any]) -> None:
    for zone, style in [("Asia/Kathmandu", "ISO, DMY"), ("UTC", "ISO"), ("America/St_Johns", "ISO, MDY")]:
        ledger.execute("SELECT set_config('TimeZone', %s, false), set_config('DateStyle', %s, false)", (zone, style))
        note(ledger, zone)
        assert chain.verify(ledger) == []


def test_appends_of_several_connections_make_one_unbroken_chain(ledger: Connection[Any], connect: Connect) -> None:
    writers, each = 6, 25
    conns = [connect() for _ in range(writers)]
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for turn in range(each):
                with conns[number].transaction():
                    note(conns[number], f"{number}/{turn}")
                    if turn % 5 == 4:
                        raise psycopg.Rollback
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    entries = chain.entries(ledger, "p")
    assert [entry.seq for entry in entries] == list(range(1, writers * each * 4 // 5 + 1))
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    assert chain.verify(ledger, chain.head(ledger)) == []


def test_a_repeatable_read_transaction_that_was_overtaken_fails(ledger: Connection[Any], connect: Connect) -> None:
    other = connect()
    ledger.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    ledger.execute("SELECT 1 FROM lockgate.chain_head")
    note(other, "first")
    with pytest.raises(errors.SerializationFailure):
        note(ledger, "from an old snapshot")
    ledger.rollback()
    assert chain.verify(ledger) == []


def test_what_cannot_be_stored_leaves_the_transaction_usable(ledger: Connection[Any]) -> None:
    with ledger.transaction():
        with pytest.raises(LedgerError, match="type set"):
            chain.append(ledger, kind="event", plan="p", payload={"x": {1}})
        note(ledger, "goes on")
    assert len(chain.entries(ledger, "p")) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE lockgate.chain SET plan = 'x'",
        "DELETE FROM lockgate.chain",
        "TRUNCATE lockgate.chain",
        "INSERT INTO lockgate.chain SELECT * FROM lockgate.chain ON CONFLICT (seq) DO UPDATE SET plan = 'x'",
        "DELETE FROM lockgate.chain_head",
        "TRUNCATE lockgate.chain_head",
        "INSERT INTO lockgate.chain_head (singleton, seq, hash) VALUES (true, 0, '')",
        "UPDATE lockgate.chain_head SET hash = ''",
        "UPDATE lockgate.chain_head SET seq = 0",
        "UPDATE lockgate.chain_head SET seq = seq + 2",
        "TRUNCATE lockgate.runs CASCADE",
    ],
)
@pytest.mark.parametrize("role", ["origin", "replica"])
def test_changes_are_refused_even_to_a_superuser(ledger: Connection[Any], statement: str, role: str) -> None:
    note(ledger, "one")
    head = chain.head(ledger)
    ledger.execute("SELECT set_config('session_replication_role', %s, false)", (role,))
    with pytest.raises(errors.InsufficientPrivilege):
        ledger.execute(statement)
    assert chain.verify(ledger, head) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=3))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_payload_survives_the_database(ledger: Connection[Any], payload: dict[str, Any]) -> None:
    try:
        plain = canonical.plain(payload)
    except LedgerError:
        return  # two keys that differ only in what cannot be stored
    with ledger.transaction(force_rollback=True):
        chain.append(ledger, kind="event", plan="p", payload=payload)
        assert chain.entries(ledger, "p")[-1].payload == plain
        assert chain.verify(ledger) == []
