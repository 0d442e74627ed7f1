from __future__ import annotations

import psycopg
import pytest

from lockgate.engine.preflight import explain, refuse_version
from lockgate.errors import ConnectionFailed, ExitCode

DSN = "postgresql://ana:hunter2@db.example:5433/shop"


@pytest.mark.parametrize(
    ("message", "what", "do"),
    [
        ('FATAL:  password authentication failed for user "ana"', "password was not accepted", "PGPASSWORD"),
        ("fe_sendauth: no password supplied", "password was not accepted", "pgpass"),
        ('FATAL:  database "shop" does not exist', "database does not exist", "psql -l"),
        ('FATAL:  role "ana" does not exist', "role does not exist", "ROLE"),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4"', "does not let this role in", "pg_hba.conf"),
        ("connection refused\n\tIs the server running?", "cannot be reached", "pg_isready"),
        ("connection timeout expired", "cannot be reached", "pg_isready"),
        ('could not translate host name "db.example" to address', "host name is not known", "host"),
        ("FATAL:  sorry, too many clients already", "no free connection", "max_connections"),
        ("FATAL:  the database system is starting up", "not ready", "again"),
        ("server does not support SSL, but SSL was required", "encrypted connection", "sslmode"),
        ('FATAL:  role "ana" is not permitted to log in', "may not connect", "LOGIN"),
        ("something that nobody has seen", "No connection", "address"),
    ],
)
def test_says_what_is_wrong_and_what_to_do(message: str, what: str, do: str) -> None:
    error = explain(psycopg.OperationalError(f"connection failed for {DSN}: {message}"), DSN)
    assert what in error.what
    assert error.hint is not None
    assert do in error.hint
    assert error.where == "ana@db.example:5433/shop"
    assert "hunter2" not in str(error)
    assert error.exit_code is ExitCode.USAGE


def test_hides_the_password_even_where_it_stands_alone() -> None:
    assert "hunter2" not in str(explain(psycopg.OperationalError('bad option "hunter2"'), DSN))


@pytest.mark.parametrize(("number", "hint"), [(130_022, "Upgrade the server"), (190_001, "newer Lockgate")])
def test_refuses_servers_that_were_not_tested(number: int, hint: str) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        refuse_version(number, f"{number // 10_000}.1", DSN)
    assert "14 to 18" in str(caught.value)
    assert hint in str(caught.value)


@pytest.mark.parametrize("number", [140_000, 150_004, 180_006])
def test_takes_servers_that_were_tested(number: int) -> None:
    refuse_version(number, "x", DSN)
