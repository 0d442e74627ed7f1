"""Whatever identifies a source row: numbers, uuids, texts, several columns, or nothing but its place."""

from __future__ import annotations

import pytest

from tests.integration.mapping.harness import Bench

KEYS = {
    "bigint": ("id bigint PRIMARY KEY", "n", "9223372036854775807"),
    "uuid": (
        "id uuid PRIMARY KEY",
        "('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid",
        "'ffffffff-ffff-4fff-8fff-ffffffffffff'",
    ),
    "text": ("id text PRIMARY KEY", "'k\\''' || n || '\"%s é'", "E'last \\\\ \\t'"),
    "an extension's type": ("id public.ltree PRIMARY KEY", "('k.' || n)::public.ltree", "'last'"),
    "composite": ("id int, part text DEFAULT 'p', PRIMARY KEY (part, id)", "n", "1000000"),
    "none": ("id bigint", "n", "1000000"),
}


@pytest.mark.parametrize("key", KEYS)
def test_a_mapping_over_rows_of_each_key(bench: Bench, key: str) -> None:
    """Copied, followed, compared and accounted for; two rows share a target key, and the driving key decides."""
    columns, value, last = KEYS[key]
    bench.sql(
        "CREATE EXTENSION IF NOT EXISTS ltree SCHEMA public",
        f"CREATE TABLE old.p ({columns}, mail text, note text)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, note text)",
        f"INSERT INTO old.p (id, mail, note) SELECT {value}, 'm' || n, 'note' || n FROM generate_series(1, 20) AS n",
        f"INSERT INTO old.p (id, mail, note) VALUES ({last}, 'm1', 'twice')",
        "INSERT INTO old.p (id, mail) SELECT id, NULL FROM old.p WHERE false",
    )
    mapped = bench.map(
        map="people", into="new.c", key=["mail"], from_="old.p", select="SELECT s.mail, s.note FROM old.p s"
    )
    assert bench.one("SELECT note FROM new.c WHERE mail = 'm1'") == "note1"
    bench.sql(
        "UPDATE old.p SET mail = mail || '!' WHERE note IN ('note2', 'note3')",
        "DELETE FROM old.p WHERE note IN ('note1', 'note4')",
        "UPDATE old.p SET note = 'changed' WHERE note = 'note5'",
        "UPDATE old.p SET mail = NULL WHERE note = 'note6'",
    )
    mapped.drain()
    assert bench.one("SELECT note FROM new.c WHERE mail = 'm1'") == "twice"
    assert bench.one("SELECT count(*) FROM new.c") == 18
    mapped.assert_agrees()
    accounts = mapped.account()
    assert (accounts.source_rows, accounts.migrated, accounts.merged, accounts.rejected) == (19, 18, 0, 1)
    assert accounts.rejected_by_reason == {"null key": 1}
    assert accounts.adds_up
    source = bench.one("SELECT source FROM lockgate.quarantine")
    names = {"composite": {"part", "id"}, "none": {"ctid"}}.get(key, {"id"})
    assert set(source) == names


def test_where_a_row_without_a_key_stands_decides_nothing(bench: Bench) -> None:
    """Its place changes unseen, by an update of a column that is not read."""
    bench.sql(
        "CREATE TABLE old.p (mail text, n int, note text)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, n int)",
        "INSERT INTO old.p VALUES ('same', 1), ('same', 2)",
    )
    mapped = bench.map(map="p", into="new.c", key=["mail"], from_="old.p", select="SELECT s.mail, s.n FROM old.p s")
    bench.sql("UPDATE old.p SET note = 'moved' WHERE n = 1")
    assert bench.rows("SELECT n FROM old.p ORDER BY ctid") == [(2,), (1,)]
    mapped.drain()
    mapped.assert_agrees()
    assert bench.one("SELECT n FROM new.c") == 1


def test_an_empty_source_is_followed_from_its_first_row(bench: Bench) -> None:
    """It has no block, and so no chunk."""
    bench.sql("CREATE TABLE old.p (id int PRIMARY KEY)", "CREATE TABLE new.c (id int PRIMARY KEY)")
    mapped = bench.map(map="p", into="new.c", key=["id"], from_="old.p", select="SELECT s.id FROM old.p s")
    bench.sql("INSERT INTO old.p VALUES (1)")
    mapped.drain()
    mapped.assert_agrees()
    assert bench.one("SELECT count(*) FROM new.c") == 1


def test_the_driving_row_of_a_self_join_is_said_by_its_alias(bench: Bench) -> None:
    """One of two places where a table is read; the other one does not decide who is accounted for."""
    bench.sql(
        "CREATE TABLE old.p (id int PRIMARY KEY, boss int)",
        "INSERT INTO old.p VALUES (1, NULL), (2, 1), (3, 1)",
    )
    select = "SELECT s.id, b.id AS boss FROM old.p s JOIN old.p b ON b.id = s.boss"
    for alias, expected in (("s", (3, 2, 0, 1)), ("b", (3, 1, 0, 2))):
        bench.sql(f"CREATE TABLE new.{alias} (id int PRIMARY KEY, boss int)")
        step = {"map": alias, "into": f"new.{alias}", "key": ["id"], "from_": f"old.p {alias}", "select": select}
        accounts = bench.map(**step, plan=alias).account()
        counts = (accounts.source_rows, accounts.migrated, accounts.merged, accounts.rejected)
        assert counts == expected, alias
