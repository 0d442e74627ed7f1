"""Looking keys up one by one: it needs an index, and the preview says so."""

from __future__ import annotations

import pytest

from lockgate.mapping.describe import describe
from tests.integration.mapping.harness import Bench, Step

STEP: Step = {
    "map": "mails",
    "into": "new.c",
    "key": ["mail"],
    "from_": "old.p",
    "select": "SELECT lower(s.mail) AS mail, s.id FROM old.p s",
}


def warnings(bench: Bench, **step: object) -> list[str]:
    """The lines of the preview that warn."""
    return [line for line in describe(bench.conn, bench.compile(**STEP | step)) if line.startswith("WARNING")]


@pytest.fixture
def mails(bench: Bench) -> Bench:
    """A source and a target with mails as keys."""
    bench.sql(
        "CREATE TABLE old.p (id int PRIMARY KEY, mail text)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, id int)",
        "INSERT INTO old.p SELECT n, 'M' || n FROM generate_series(1, 5000) AS n",
        "ANALYZE old.p",
    )
    return bench


def test_a_key_that_no_index_serves_is_said(mails: Bench) -> None:
    """An index on the column does not serve an expression; one on the expression does."""
    (line,) = warnings(mails)
    assert "old.p" in line or " p;" in line or " p " in line
    mails.sql("CREATE INDEX ON old.p (mail)")
    assert len(warnings(mails)) == 1
    mails.sql("CREATE INDEX ON old.p (lower(mail))")
    assert warnings(mails) == []


def test_without_sync_no_index_is_needed(mails: Bench) -> None:
    """No key is looked up."""
    assert warnings(mails, sync="none") == []


def test_few_keys_are_looked_up_and_not_joined_with_all_rows(mails: Bench) -> None:
    """With the index, a batch of one change reads few rows of the source, whatever its size."""
    mails.sql("CREATE INDEX ON old.p (lower(mail))", "ANALYZE old.p")
    mapped = mails.map(**STEP)
    read = "SELECT coalesce(seq_tup_read, 0) FROM pg_stat_user_tables WHERE relid = 'old.p'::regclass"
    applier = mapped.applier()

    def seen() -> int:
        applier.conn.execute("SELECT pg_stat_force_next_flush()")
        applier.conn.execute("SELECT 1")
        return int(mails.one(read))

    before = seen()
    mails.sql("UPDATE old.p SET mail = 'NEW' WHERE id = 77")
    between = int(mails.one(read)) - before
    mapped.batch()
    assert seen() - before - between < 5000, "the batch did not read the whole table"
    assert mails.one("SELECT id FROM new.c WHERE mail = 'new'") == 77
