from __future__ import annotations

import pytest

from lockgate.engine.address import describe, redact, resolve
from lockgate.errors import UsageError


@pytest.mark.parametrize(
    ("database", "env", "dsn"),
    [
        ("postgresql://a@h/d", {"DATABASE_URL": "postgresql://other"}, "postgresql://a@h/d"),
        (None, {"DATABASE_URL": "postgresql://a@h/d", "PGHOST": "other"}, "postgresql://a@h/d"),
        (None, {"PGHOST": "h"}, ""),
        (None, {"PGSERVICE": "s"}, ""),
        ("host=h dbname=d", {}, "host=h dbname=d"),
        ("shop", {}, "dbname=shop"),
        ("postgresql+asyncpg://a@h/d", {}, "postgresql://a@h/d"),
    ],
)
def test_takes_the_first_address_in_order(database: str | None, env: dict[str, str], dsn: str) -> None:
    assert resolve(database, env) == dsn


def test_says_how_to_name_a_database() -> None:
    with pytest.raises(UsageError) as caught:
        resolve(None, {"HOME": "/"})
    assert "--database" in str(caught.value)


def test_a_broken_address_does_not_show_its_password() -> None:
    with pytest.raises(UsageError) as caught:
        resolve("postgresql://ana:hunter2@h:notaport/d?nonsense=1", {})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ana:hunter2@h/d",
        "postgres://ana:hunter2@h/d and more",
        "postgresql+psycopg://ana:hunter2@h/d",
        "host=h password=hunter2 dbname=d",
        "host=h password = 'hunter2' dbname=d",
        r"password='it\'s hunter2'",
        "postgresql://h/d?user=ana&password=hunter2&sslmode=require",
        "postgresql://ana:hun@hunter2@h/d",
    ],
)
def test_hides_passwords(text: str) -> None:
    assert "hunter2" not in redact(text)
    assert "***" in redact(text)


def test_leaves_other_text_alone() -> None:
    text = "postgresql://ana@h:5432/d took 3:4@5"
    assert redact(text) == text


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        ("postgresql://ana:x@h:5433/d", "ana@h:5433/d"),
        ("dbname=d", "local socket/d"),
        ("service=prod", "local socket (service prod)"),
    ],
)
def test_describes_an_address(dsn: str, shown: str) -> None:
    assert describe(dsn) == shown
