"""What became of every source row: each is migrated, merged or rejected, and the sums are checked."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.errors import PlanError
from lockgate.mapping.accounting import Accounts
from tests.integration.mapping.harness import Bench, Step

pytestmark = pytest.mark.one_server  # plain counts, which whole plans take on both

TABLES = """
CREATE TABLE old.e (id int PRIMARY KEY);
CREATE TABLE old.m (id int PRIMARY KEY, e int, mail text, prim boolean NOT NULL DEFAULT false);
CREATE TABLE new.c (e int NOT NULL, mail text NOT NULL, UNIQUE (e, mail));
INSERT INTO old.e VALUES (1), (2);
INSERT INTO old.m VALUES (1, 1, 'A@x', false), (2, 1, 'a@x', true), (3, 2, 'b@x', false), (4, 1, '', false),
    (5, 1, NULL, false), (6, 9, 'c@x', false), (7, 2, 'none', false)
"""
STEP: Step = {
    "map": "mails",
    "into": "new.c",
    "key": ["e", "mail"],
    "from_": "old.m",
    "select": "SELECT e.id AS e, lower(s.mail) AS mail FROM old.m s JOIN old.e e ON e.id = s.e WHERE s.mail ~ '@'",
    "winner": ["s.prim DESC"],
    "rejected": {"empty": "coalesce(s.mail, '') = ''", "no at sign": "s.mail !~ '@'"},
}


def outcome(accounts: Accounts) -> tuple[int, int, int, int]:
    """Source rows, migrated, merged, rejected."""
    return accounts.source_rows, accounts.migrated, accounts.merged, accounts.rejected


def quarantine(bench: Bench, columns: str) -> list[tuple[Any, ...]]:
    """What was kept of the rows that did not arrive one to one."""
    return bench.rows(f"SELECT {columns} FROM lockgate.quarantine ORDER BY outcome, source ->> 'id'")


def test_each_row_is_migrated_merged_or_rejected(bench: Bench) -> None:
    """The three add up to the source; each rejected row has the first reason that holds."""
    bench.sql(TABLES)
    accounts = bench.map(**STEP).account()
    assert outcome(accounts) == (7, 2, 1, 4)
    assert accounts.rejected_by_reason == {"empty": 2, "no at sign": 1, "no declared reason": 1}
    assert (accounts.unexplained, accounts.adds_up) == (1, False), "nobody said why a mail without entity is left out"
    assert (accounts.yields, accounts.won, accounts.target_rows) == (3, 2, 2)
    assert quarantine(bench, "outcome, reason, source ->> 'id', kept ->> 'mail', into_key") == [
        ("merged", "another row keeps the key", "1", None, {"e": "1", "mail": "a@x"}),
        ("rejected", "empty", "4", "", None),
        ("rejected", "empty", "5", None, None),
        ("rejected", "no declared reason", "6", "c@x", None),
        ("rejected", "no at sign", "7", "none", None),
    ]


def test_a_parent_that_comes_later_turns_rejected_into_migrated(bench: Bench) -> None:
    """Outcomes are those of now, and not those of the time when a row's chunk was read."""
    bench.sql(TABLES)
    mapped = bench.map(**STEP)
    mapped.account()
    bench.sql("INSERT INTO old.e VALUES (9)", "DELETE FROM old.m WHERE id = 2")
    mapped.drain()
    accounts = mapped.account()
    assert outcome(accounts) == (6, 3, 0, 3)
    assert accounts.adds_up
    assert len(quarantine(bench, "source")) == 3, "it is renewed, not added to"


def test_a_row_with_several_yields_counts_once(bench: Bench) -> None:
    """It is migrated if it wins at least one key, and merged only if it wins none."""
    bench.sql(
        "CREATE TABLE old.d (id int PRIMARY KEY, tags jsonb NOT NULL)",
        "CREATE TABLE new.t (tag text PRIMARY KEY, id int NOT NULL)",
        """INSERT INTO old.d VALUES (1, '["a", "b", "a"]'), (2, '["b", "c"]'), (3, '["a", "b"]'), (4, '[]')""",
    )
    select = "SELECT t.tag, s.id FROM old.d s, LATERAL jsonb_array_elements_text(s.tags) AS t (tag)"
    mapped = bench.map(
        map="tags", into="new.t", key=["tag"], from_="old.d", select=select, rejected={"no tags": "s.tags = '[]'"}
    )
    accounts = mapped.account()
    assert outcome(accounts) == (4, 2, 1, 1)
    assert (accounts.yields, accounts.won, accounts.adds_up) == (7, 3, True)
    assert bench.rows("SELECT tag, id FROM new.t ORDER BY tag") == [("a", 1), ("b", 1), ("c", 2)]


def test_a_difference_is_an_unexplained_row(bench: Bench) -> None:
    """However well the source adds up."""
    bench.sql(TABLES, "DELETE FROM old.m WHERE id = 6")
    mapped = bench.map(**STEP)
    assert mapped.account().adds_up
    bench.sql("ALTER TABLE new.c DISABLE TRIGGER ALL", "INSERT INTO new.c VALUES (1, 'nobody')")
    accounts = mapped.account()
    assert (accounts.unexplained, accounts.adds_up) == (1, False)


@pytest.mark.parametrize("partitioned", [False, True])
def test_rows_without_a_key_of_their_own_are_told_apart(bench: Bench, partitioned: bool) -> None:
    """By their place, in partitions too; equal rows are several."""
    tail = " PARTITION BY LIST (e)" if partitioned else ""
    bench.sql(TABLES, "DROP TABLE old.m", f"CREATE TABLE old.m (id int, e int, mail text, prim boolean){tail}")
    if partitioned:
        bench.sql("CREATE TABLE old.m1 PARTITION OF old.m FOR VALUES IN (1)")
        bench.sql("CREATE TABLE old.m2 PARTITION OF old.m DEFAULT")
    bench.sql(
        "INSERT INTO old.m VALUES (1, 1, 'a@x', false), (1, 1, 'a@x', false), (1, 2, 'b@x', false), (1, 1, NULL, true)"
    )
    accounts = bench.map(**STEP).account()
    assert outcome(accounts) == (4, 2, 1, 1)
    assert accounts.adds_up


def test_the_first_reason_is_the_one_that_the_plan_says_first(bench: Bench) -> None:
    """The ledger keeps their order, whatever their names; a later one need not make sense of a row at all."""
    bench.sql(TABLES)
    reasons = {"no at sign in it": "s.mail NOT LIKE '%@%'", "odd": "true", "zero": "1 / (s.id - s.id) = 0"}
    mapped = bench.map(**STEP | {"rejected": reasons})
    assert list(mapped.load().compiled[0].definition.rejected) == list(reasons)
    accounts = mapped.account()
    assert accounts.rejected_by_reason["no at sign in it"] == 2
    assert set(accounts.rejected_by_reason) == {"no at sign in it", "odd"}


def test_rows_need_not_be_kept_for_a_reason_that_says_so(bench: Bench) -> None:
    """Millions of rows that belong elsewhere are counted and not copied."""
    bench.sql(TABLES, "DELETE FROM old.m WHERE id = 6")
    accounts = bench.map(**STEP | {"not_kept": ["empty"]}).account()
    assert accounts.rejected_by_reason == {"empty": 2, "no at sign": 1}
    assert accounts.adds_up
    assert quarantine(bench, "outcome, reason") == [
        ("merged", "another row keeps the key"),
        ("rejected", "no at sign"),
    ]


def test_a_reason_is_a_condition_over_the_driving_row(bench: Bench) -> None:
    """Found before anything runs, with its name."""
    bench.sql(TABLES)
    for condition in ("s.nothing IS NULL", "e.id IS NULL", "s.mail", "s.mail =", "s.id = 1; DROP TABLE old.m"):
        with pytest.raises(PlanError, match="'why' is not a condition") as error:
            bench.compile(**STEP | {"rejected": {"why": condition}})
        assert error.value.where == "rejected.why"


def test_a_percent_sign_is_only_a_percent_sign(bench: Bench) -> None:
    """In conditions, in the SELECT, and in names."""
    bench.sql(
        'CREATE TABLE old."100%s" ("a%b" int PRIMARY KEY, "v%(x)s" text)',
        'CREATE TABLE new."50%" ("k%d" int PRIMARY KEY, "v%" text CHECK ("v%" <> \'bad\'))',
        "INSERT INTO old.\"100%s\" VALUES (1, 'x%'), (2, '5%'), (3, 'x')",
    )
    mapped = bench.map(
        map="percent",
        into='new."50%"',
        key=['"k%d"'],
        from_='old."100%s"',
        select="""SELECT s."a%b" % 10 AS "k%d", s."v%(x)s" AS "v%" FROM old."100%s" s WHERE s."v%(x)s" LIKE 'x%'""",
        rejected={"not 10% x%s": """s."v%(x)s" NOT LIKE 'x%'"""},
        winner=['s."a%b" % 2'],
    )
    bench.sql("""UPDATE old."100%s" SET "v%(x)s" = 'xx%' WHERE "a%b" = 3""")
    mapped.drain()
    bench.sql("""INSERT INTO old."100%s" VALUES (11, 'x11')""")
    mapped.drain()
    accounts = mapped.account()
    assert outcome(accounts) == (4, 2, 1, 1)
    assert accounts.adds_up
    bench.sql('ALTER TABLE new."50%" ADD CHECK ("k%d" < 4)', """INSERT INTO old."100%s" VALUES (5, 'x')""")
    mapped.drain()
    assert mapped.poison() == [({"k%d": "5"}, "23514")]
    bench.sql("""UPDATE old."100%s" SET "v%(x)s" = 'y' WHERE "a%b" = 5""")
    mapped.make_retry_due()
    mapped.drain()
    assert mapped.poison() == []
    assert [key for (key,) in bench.rows('SELECT "k%d" FROM new."50%" ORDER BY 1')] == [1, 3]
    mapped.assert_agrees()
