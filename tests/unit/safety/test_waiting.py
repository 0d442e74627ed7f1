"""What is said about the timeouts that a text sets, and how the server reads their values."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import Connection

from lockgate.safety.subject import subject
from lockgate.safety.waiting import Waiting, milliseconds


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "No lock_timeout is set in this text."),
        ("SET lock_timeout = 0;", "No lock_timeout is set in this text."),
        ("SET lock_timeout = '2s'; RESET lock_timeout;", "lock_timeout was taken back before."),
        ("SET lock_timeout = '2s'; RESET ALL;", "RESET ALL took the timeouts back."),
        ("SET LOCAL lock_timeout = '2s';", "SET LOCAL lock_timeout has no effect outside a transaction."),
        (
            "BEGIN; SET LOCAL lock_timeout = '2s'; COMMIT;",
            "SET LOCAL lock_timeout held only until its transaction ended.",
        ),
        ("SET lock_timeout = '1h';", "It may wait for as long as lock_timeout = 1h let it."),
        ("SET statement_timeout = 60000;", "It may wait for as long as statement_timeout = 60000 let it."),
        ("SET lock_timeout = '1.5s';", ""),
        ("SET lock_timeout = '1h'; SET statement_timeout = '2s';", ""),
    ],
)
def test_it_says_why_a_statement_may_wait_for_too_long(text: str, why: str) -> None:
    waiting = Waiting()
    statements = subject(f"{text} DROP TABLE t", str).statements
    for statement in statements[:-1]:
        if statement.kind == "VariableSetStmt":
            waiting.told(statement)
    assert waiting.too_long(statements[-1]) == why


@pytest.mark.parametrize("text", ["1500", "2s", " 2 s ", "1.5s", ".5min", "1h", "1d", "900us", "0"])
def test_a_timeout_is_read_as_the_server_reads_it(conn: Connection[Any], text: str) -> None:
    conn.execute("SELECT pg_catalog.set_config('lock_timeout', %s, false)", (text,))
    row = conn.execute("SELECT setting::double precision FROM pg_catalog.pg_settings WHERE name = 'lock_timeout'")
    known = milliseconds(text)
    assert known is not None
    assert row.fetchone() == (round(known),)


def test_what_is_no_time_is_not_taken_for_one() -> None:
    assert milliseconds("soon") is None
