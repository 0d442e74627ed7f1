"""A superuser who switches the triggers off changes the chain; verify finds it and says which row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection, sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from lockgate.errors import UsageError
from lockgate.ledger import canonical, chain, runs
from lockgate.ledger.fields import GENESIS, Fields
from tests.integration.ledger.conftest import Connect

pytestmark = pytest.mark.one_server  # verify reads plain rows and judges them itself

LENGTH = 8
SET_HEAD_BACK = (
    "UPDATE lockgate.chain_head SET (seq, hash) = (SELECT seq, hash FROM lockgate.chain ORDER BY seq DESC LIMIT 1)"
)


@pytest.fixture
def filled(ledger: Connection[Any]) -> Connection[Any]:
    run_id = runs.start(ledger, plan="p", digest="d", command="apply")
    runs.start(ledger, plan="p", digest="d", command="apply")
    with ledger.transaction():
        for number in range(1, LENGTH + 1):
            chain.append(
                ledger,
                kind="event",
                plan="p",
                phase="one" if number % 2 else None,
                step="s",
                run_id=run_id,
                payload={"number": number, "list": [1.5, None, "x"]},
            )
    assert chain.verify(ledger) == []
    return ledger


@contextmanager
def unguarded(conn: Connection[Any]) -> Iterator[None]:
    """No trigger and no constraint is in the way; at the end all is as it was."""
    with conn.transaction(force_rollback=True):
        conn.execute("ALTER TABLE lockgate.chain DISABLE TRIGGER ALL")
        conn.execute("ALTER TABLE lockgate.chain_head DISABLE TRIGGER ALL")
        conn.execute("ALTER TABLE lockgate.chain DROP CONSTRAINT chain_pkey")
        conn.execute("ALTER TABLE lockgate.chain_head DROP CONSTRAINT chain_head_pkey")
        conn.execute("ALTER TABLE lockgate.chain ALTER seq DROP NOT NULL, ALTER prev DROP NOT NULL")
        yield


def found(conn: Connection[Any], known_head: str | None = None) -> list[tuple[int | None, str]]:
    """All faults but the ones that :func:`unguarded` makes."""
    faults = [(fault.seq, fault.what) for fault in chain.verify(conn, known_head)]
    return [fault for fault in faults if not fault[1].startswith("Trigger ")]


def rehash(conn: Connection[Any], seq: int) -> None:
    """Give a row the hash of what it now holds, as somebody would who knows how."""
    row = conn.cursor(row_factory=dict_row).execute(
        "SELECT seq, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS at, run_id, kind, plan,"
        " phase, step, payload::text AS payload, encode(prev, 'hex') AS prev FROM lockgate.chain WHERE seq = %s",
        (seq,),
    )
    (values,) = row.fetchall()
    made = Fields(**{**values, "payload": canonical.loads(values["payload"])}).digest()
    conn.execute("UPDATE lockgate.chain SET hash = %s WHERE seq = %s", (bytes.fromhex(made), seq))


def rewrite(conn: Connection[Any], first: int) -> None:
    """Hash all rows anew from one on, and the head."""
    for seq in range(first, LENGTH + 1):
        conn.execute(
            "UPDATE lockgate.chain r SET prev = p.hash FROM lockgate.chain p WHERE r.seq = %s AND p.seq = r.seq - 1",
            (seq,),
        )
        rehash(conn, seq)
    conn.execute(SET_HEAD_BACK)


@pytest.mark.parametrize(
    "change",
    [
        "at = at + interval '1 microsecond'",
        "at = 'infinity'",
        "at = at - interval '2 years'",
        "at = ((at AT TIME ZONE 'UTC')::text || ' BC')::timestamp AT TIME ZONE 'UTC'",
        "run_id = 2",
        "run_id = NULL",
        "kind = 'gate'",
        "plan = 'P'",
        "phase = NULL",
        "phase = ''",
        "step = 's '",
        "payload = payload || '{\"number\": 9}'",
        "payload = payload || '{\"more\": null}'",
        "payload = payload - 'list'",
        "payload = jsonb_set(payload, '{list}', '[null, 1.5, \"x\"]')",
        "payload = jsonb_set(payload, '{list,0}', '1.5000000000000000000000001')",
        "payload = jsonb_set(payload, '{number}', '1e400')",
        "payload = jsonb_set(payload, '{number}', '\"5\"')",
        "payload = 'null'",
        "payload = (repeat('[', 5000) || repeat(']', 5000))::jsonb",
        "prev = decode(repeat('11', 32), 'hex')",
        "prev = NULL",
        "hash = decode(repeat('11', 32), 'hex')",
        "hash = ''",
    ],
)
def test_a_changed_field(filled: Connection[Any], change: str) -> None:
    with unguarded(filled):
        filled.execute(f"UPDATE lockgate.chain SET {change} WHERE seq = 5".encode())
        faults = found(filled)
        assert {seq for seq, _ in faults} - {6} == {5}
        assert any(
            re.match(r"(Row 5 does not match its hash|The content of row 5 was changed)", what) for _, what in faults
        )


def test_a_row_that_was_changed_and_hashed_anew(filled: Connection[Any]) -> None:
    with unguarded(filled):
        filled.execute("UPDATE lockgate.chain SET plan = 'x' WHERE seq = 5")
        rehash(filled, 5)
        ((seq, what),) = found(filled)
        assert seq == 6
        assert what.startswith("Row 6 does not follow row 5: ")


def test_the_last_row_changed_and_hashed_anew(filled: Connection[Any]) -> None:
    with unguarded(filled):
        filled.execute("UPDATE lockgate.chain SET plan = 'x' WHERE seq = 8")
        rehash(filled, 8)
        ((seq, what),) = found(filled)
        assert seq == 8
        assert what.startswith("The head says that row 8 has the hash ")


@pytest.mark.parametrize(
    ("rows", "seq", "what"),
    [
        ("1", 1, "Row 1 is missing."),
        ("5", 5, "Row 5 is missing."),
        ("3, 4, 5", 3, "Rows 3 to 5 are missing."),
        ("8", 8, "The chain was cut off behind row 7: its head is row 8."),
        ("6, 7, 8", 6, "The chain was cut off behind row 5: its head is row 8."),
        ("1, 2, 3, 4, 5, 6, 7, 8", 1, "The chain was cut off behind the beginning: its head is row 8."),
    ],
)
def test_removed_rows(filled: Connection[Any], rows: str, seq: int, what: str) -> None:
    with unguarded(filled):
        filled.execute(f"DELETE FROM lockgate.chain WHERE seq IN ({rows})".encode())
        assert found(filled) == [(seq, what)]


def test_a_removed_row_whose_gap_was_closed(filled: Connection[Any]) -> None:
    with unguarded(filled):
        filled.execute("DELETE FROM lockgate.chain WHERE seq = 5")
        filled.execute("UPDATE lockgate.chain SET seq = seq - 1 WHERE seq > 5")
        filled.execute("UPDATE lockgate.chain_head SET seq = seq - 1")
        faults = found(filled)
        assert faults[0][1].startswith("Row 5 does not follow row 4: ")
        assert faults[1:] == [(n, f"Row {n} does not match its hash: it was row {n + 1}.") for n in (5, 6, 7)]


def test_an_inserted_row(filled: Connection[Any]) -> None:
    with unguarded(filled):
        filled.execute("UPDATE lockgate.chain SET seq = seq + 1 WHERE seq > 4")
        filled.execute("UPDATE lockgate.chain_head SET seq = seq + 1")
        filled.execute(
            "INSERT INTO lockgate.chain SELECT 5, at, run_id, kind, plan, phase, step, '{}', hash, hash"
            " FROM lockgate.chain WHERE seq = 4"
        )
        rehash(filled, 5)
        faults = found(filled)
        assert faults[0] == (6, faults[0][1])
        assert faults[0][1].startswith("Row 6 does not follow row 5: ")
        assert faults[1:] == [(n, f"Row {n} does not match its hash: it was row {n - 1}.") for n in (6, 7, 8, 9)]


def test_a_row_inserted_behind_the_end(filled: Connection[Any]) -> None:
    with unguarded(filled):
        filled.execute(
            "INSERT INTO lockgate.chain SELECT 9, at, run_id, kind, plan, phase, step, '{}', hash, hash"
            " FROM lockgate.chain WHERE seq = 8"
        )
        rehash(filled, 9)
        assert found(filled) == [(9, "Row 9 is behind the head, row 8: inserted, or the head was set back.")]


def test_a_second_row_of_one_number(filled: Connection[Any]) -> None:
    with unguarded(filled):
        filled.execute("INSERT INTO lockgate.chain SELECT * FROM lockgate.chain WHERE seq = 5")
        assert found(filled) == [(5, "There is more than one row 5, or a row below 1.")]


@pytest.mark.parametrize("seq", ["0", "-3"])
def test_a_row_before_the_first(filled: Connection[Any], seq: str) -> None:
    with unguarded(filled):
        filled.execute(
            f"INSERT INTO lockgate.chain SELECT {seq}, at, run_id, kind, plan, phase, step, '{{}}', prev, hash"
            " FROM lockgate.chain WHERE seq = 1".encode()
        )
        assert (int(seq), f"There is more than one row {seq}, or a row below 1.") in found(filled)


def test_a_row_without_a_number(filled: Connection[Any]) -> None:
    with unguarded(filled):
        filled.execute("UPDATE lockgate.chain SET seq = NULL WHERE seq = 8")
        assert (None, "There is a row without a number.") in found(filled)


def test_swapped_rows(filled: Connection[Any]) -> None:
    with unguarded(filled):
        filled.execute("UPDATE lockgate.chain SET seq = 9 - seq WHERE seq IN (3, 6)")
        faults = found(filled)
        assert (3, "Row 3 does not match its hash: it was row 6.") in faults
        assert (6, "Row 6 does not match its hash: it was row 3.") in faults


def test_renumbered_rows(filled: Connection[Any]) -> None:
    with unguarded(filled):
        filled.execute("UPDATE lockgate.chain SET seq = seq + 1")
        filled.execute("UPDATE lockgate.chain_head SET seq = seq + 1")
        faults = found(filled)
        assert faults[0] == (1, "Row 1 is missing.")
        assert len(faults) == LENGTH + 1
        assert all(f"it was row {seq - 1}." in what for seq, what in faults[1:] if seq)


def test_the_end_cut_off_and_the_head_set_back_needs_a_known_head(filled: Connection[Any]) -> None:
    known = chain.head(filled)
    with unguarded(filled):
        filled.execute("DELETE FROM lockgate.chain WHERE seq > 6")
        filled.execute(SET_HEAD_BACK)
        assert found(filled) == []
        ((seq, what),) = found(filled, known)
        assert seq == 7
        assert what.startswith("The known head is row 8, and the chain ends with row 6: ")


def test_a_chain_that_was_written_anew_needs_a_known_head(filled: Connection[Any]) -> None:
    known = chain.head(filled)
    with unguarded(filled):
        filled.execute("UPDATE lockgate.chain SET plan = 'x' WHERE seq = 3")
        rewrite(filled, 3)
        assert found(filled) == []
        ((seq, what),) = found(filled, known)
        assert seq == 8
        assert what.startswith("Row 8 has the hash ")


def test_a_known_head_of_before_is_found_in_a_chain_that_went_on(filled: Connection[Any]) -> None:
    known = chain.head(filled)
    chain.append(filled, kind="event", plan="p", payload={})
    assert chain.verify(filled, known) == []
    assert chain.verify(filled, f"0:{GENESIS}") == []


@pytest.mark.parametrize("text", ["", "8", "8:abc", f"x:{GENESIS}", f"8:{GENESIS}0"])
def test_a_known_head_that_is_none(filled: Connection[Any], text: str) -> None:
    with pytest.raises(UsageError):
        chain.verify(filled, text)


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DELETE FROM lockgate.chain_head", "The chain has 0 heads in lockgate.chain_head, not one."),
        (
            "INSERT INTO lockgate.chain_head (seq, hash) SELECT seq, hash FROM lockgate.chain_head",
            "The chain has 2 heads in lockgate.chain_head, not one.",
        ),
        ("UPDATE lockgate.chain_head SET hash = ''", "The head says that row 8 has the hash ..."),
        ("UPDATE lockgate.chain_head SET seq = 7", "Row 8 is behind the head, row 7"),
        ("UPDATE lockgate.chain_head SET seq = 9", "The chain was cut off behind row 8: its head is row 9."),
        ("UPDATE lockgate.chain_head SET seq = 0", "The head says that the beginning has the hash"),
    ],
)
def test_a_changed_head(filled: Connection[Any], statement: str, what: str) -> None:
    with unguarded(filled):
        filled.execute(statement.encode())
        assert any(text.startswith(what) for _, text in found(filled))


def test_what_is_wrong_with_the_tables_themselves_is_told_too(filled: Connection[Any]) -> None:
    filled.execute("ALTER TABLE lockgate.chain DISABLE TRIGGER chain_append_only")
    filled.execute("UPDATE lockgate.meta SET sha256 = 'other' WHERE number = 1")
    assert [fault.seq for fault in chain.verify(filled)] == [None, None]


def test_appends_during_a_verify_are_no_fault(filled: Connection[Any], connect: Connect) -> None:
    other = connect()
    with filled.transaction():
        filled.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        filled.execute("SELECT 1")
        chain.append(other, kind="event", plan="p", payload={})
        assert chain.verify(filled) == []
    assert chain.verify(filled) == []


def test_more_rows_than_are_fetched_at_once(filled: Connection[Any]) -> None:
    with filled.transaction():
        for _ in range(1200):
            chain.append(filled, kind="event", plan="p", payload={})
    assert chain.verify(filled) == []
    with unguarded(filled):
        filled.execute("UPDATE lockgate.chain SET seq = seq + 1 WHERE seq > 4")
        filled.execute("UPDATE lockgate.chain_head SET seq = seq + 1")
        faults = found(filled)
        assert faults[0] == (5, "Row 5 is missing.")
        assert len(faults) == 1 + 1204
        assert faults[60][1] == "Row 65 does not match its hash: its content was changed, or its hash."


# Random tampering: whatever is done, either the chain is as it was, or verify with the known head says so.

SEQ = st.integers(1, LENGTH)
FIELD = st.sampled_from(
    [
        ("plan", st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3)),
        ("phase", st.none() | st.sampled_from(["one", "two", ""])),
        ("step", st.none() | st.sampled_from(["s", "S"])),
        ("run_id", st.sampled_from([None, 1, 2])),
        ("kind", st.sampled_from(["event", "gate"])),
        ("payload", st.dictionaries(st.sampled_from(["number", "list"]), st.integers(0, 9) | st.none()).map(Jsonb)),
        ("prev", st.binary(max_size=32)),
        ("hash", st.binary(max_size=32)),
    ]
).flatmap(lambda pair: st.tuples(st.just(pair[0]), pair[1]))
DEED = st.one_of(
    st.tuples(st.just("change"), SEQ, FIELD),
    st.tuples(st.just("rehash"), SEQ, st.none()),
    st.tuples(st.just("remove"), SEQ, st.none()),
    st.tuples(st.just("cut"), SEQ, st.none()),
    st.tuples(st.just("swap"), SEQ, SEQ),
    st.tuples(st.just("shift"), SEQ, st.sampled_from([-1, 1])),
    st.tuples(st.just("copy"), SEQ, SEQ),
    st.tuples(st.just("head"), SEQ, st.none()),
    st.tuples(st.just("set head back"), SEQ, st.none()),
)


def perform(conn: Connection[Any], deed: tuple[str, int, Any]) -> None:
    what, seq, other = deed
    rows = conn.execute("SELECT count(*) FROM lockgate.chain WHERE seq = %s", (seq,)).fetchone()
    assert rows is not None
    match what:
        case "change":
            column = sql.Identifier(other[0])
            conn.execute(sql.SQL("UPDATE lockgate.chain SET {} = %s WHERE seq = %s").format(column), (other[1], seq))
        case "rehash" if rows[0] == 1:
            rehash(conn, seq)
        case "remove":
            conn.execute("DELETE FROM lockgate.chain WHERE seq = %s", (seq,))
        case "cut":
            conn.execute("DELETE FROM lockgate.chain WHERE seq >= %s", (seq,))
        case "swap":
            conn.execute("UPDATE lockgate.chain SET seq = %s - seq WHERE seq IN (%s, %s)", (seq + other, seq, other))
        case "shift":
            conn.execute("UPDATE lockgate.chain SET seq = seq + %s WHERE seq >= %s", (other, seq))
        case "copy":
            conn.execute(
                "INSERT INTO lockgate.chain SELECT %s, at, run_id, kind, plan, phase, step, payload, prev, hash"
                " FROM lockgate.chain WHERE seq = %s",
                (other, seq),
            )
        case "head":
            conn.execute("UPDATE lockgate.chain_head SET seq = %s", (seq,))
        case "set head back":
            conn.execute(
                "UPDATE lockgate.chain_head SET seq = r.seq, hash = r.hash FROM lockgate.chain r"
                " WHERE r.seq = (SELECT max(seq) FROM lockgate.chain)"
            )


def everything(conn: Connection[Any]) -> list[tuple[Any, ...]]:
    return [
        *conn.execute("SELECT * FROM lockgate.chain ORDER BY seq").fetchall(),
        *conn.execute("SELECT * FROM lockgate.chain_head").fetchall(),
    ]


@given(st.lists(DEED, min_size=1, max_size=4))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_tampering(filled: Connection[Any], deeds: list[tuple[str, int, Any]]) -> None:
    known = chain.head(filled)
    before = everything(filled)
    with unguarded(filled):
        for deed in deeds:
            perform(filled, deed)
        assert bool(found(filled, known)) == (everything(filled) != before)
