from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

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


# As people write them by mistake, or by the rules of others.
BROKEN = [
    "mysql://me:{}@h/x",
    "me:{}@h/x",
    "postgres:/me:{}@h/x",
    "postgresql//me:{}@h/x",
    "host=h passwrod={}",
    "host=h password={} oops",
    "postgresql://h/x?passwrod={}",
    "postgresql://me:{}@h/x?nonsense=1",
    "postgresql://me:{}%zz@h/x",
    "postgresql://me:@{}@h/x",
    "postgresql://me:a/{}@h/x",
    "postgresql://me:12/{}@h/x",
    "postgresql://me:12?host={}@h/x",
    "postgresql://me:a {}@h/x",
]


@pytest.mark.parametrize("address", BROKEN)
def test_nothing_is_shown_of_an_address_that_cannot_be_read(address: str) -> None:
    for source in (resolve_option, resolve_variable):
        with pytest.raises(UsageError) as caught:
            source(address.format("s3cret"))
        assert "s3cret" not in str(caught.value)


@given(
    st.sampled_from([*BROKEN, "postgresql://me:{}@h/x", "host=h password={}", "host=h password='{}'"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=6),
)
def test_no_password_is_ever_shown(address: str, password: str) -> None:
    """Neither where the address is refused, nor in what describes one that is not."""
    assume(password not in "The database address cannot be read --database *** me@h:5432/x local socket")
    text = address.format(password)
    try:
        shown = describe(resolve_option(text))
    except UsageError as error:
        shown = str(error)
    assert password not in shown


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=6))
def test_no_password_of_a_url_is_left(password: str) -> None:
    assume(password.strip("*"))
    assert redact(f"at postgresql://me:{password}@h/x, again") == "at postgresql://me:***@h/x, again"


def resolve_option(address: str) -> str:
    return resolve(address, {})


def resolve_variable(address: str) -> str:
    return resolve(None, {"DATABASE_URL": address})


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ana:hunter2@h/d",
        "mysql://ana:hunter2@h/d",
        "postgresql://ana:h/un@t@hunter2@h/d",
        "postgresql://a@na:hunter2@h/d",
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
