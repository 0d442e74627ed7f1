"""Comparing both sides: exact while writes go on, without a lock, and of whole rows."""

from __future__ import annotations

import pytest

from lockgate.mapping import accounting, changelog, reconcile, upkeep
from lockgate.mapping.intake import Intake
from tests.integration.mapping.harness import Bench, Mapped, Step

STEP: Step = {
    "map": "people",
    "into": "new.c",
    "key": ["mail"],
    "from_": "old.p",
    "select": "SELECT s.mail, s.v, s.w FROM old.p s",
    "winner": ["s.v"],
}


def people(bench: Bench, rows: int = 300) -> Mapped:
    """A live mapping of so many rows."""
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, mail text, v numeric, w text)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, v numeric, w text)",
        f"INSERT INTO old.p SELECT n, 'm' || n, n, 'w' FROM generate_series(1, {rows}) AS n",
    )
    return bench.map(**STEP)


def damage(bench: Bench, *statements: str) -> None:
    """Write to the target as nobody should: as if the tool itself did it, which no log tells."""
    bench.sql("SELECT set_config('lockgate.writer', (SELECT id::text FROM lockgate.sync_targets), false)", *statements)
    bench.sql("RESET lockgate.writer")


def counts(mapped: Mapped) -> tuple[int, int, int]:
    """Missing, different and extra rows."""
    found = mapped.compare()
    return found.missing, found.different, found.extra


def test_every_kind_of_difference_is_found(bench: Bench) -> None:
    """A row too few, a row too many, a value changed; and an example of each is kept."""
    mapped = people(bench)
    damage(
        bench,
        "DELETE FROM new.c WHERE mail = 'm1'",
        "INSERT INTO new.c VALUES ('extra', 1, 'w')",
        "UPDATE new.c SET v = 0 WHERE mail = 'm2'",
    )
    found = mapped.compare()
    assert (found.missing, found.different, found.extra, found.pending) == (1, 1, 1, 0)
    assert (found.compared_rows, found.target_rows, found.agrees) == (300, 300, False)
    assert {example["mail"] for example in found.examples} == {"m1", "m2", "extra"}


CHANGES = {
    "another form of an equal number": "UPDATE new.c SET v = 2.00 WHERE mail = 'm2'",
    "NULL instead of the empty text": "UPDATE new.c SET w = NULL WHERE mail = 'm2'",
    "a space at the end": "UPDATE new.c SET w = 'w ' WHERE mail = 'm2'",
    "values of two columns that flow together": "UPDATE new.c SET w = 'w2', v = NULL WHERE mail = 'm2'",
    "the case of a letter": "UPDATE new.c SET w = 'W' WHERE mail = 'm2'",
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_smallest_change_is_a_difference(bench: Bench, change: str) -> None:
    """The stored form of every column counts."""
    mapped = people(bench)
    damage(bench, CHANGES[change])
    assert counts(mapped) == (0, 1, 0)


def test_changes_that_cancel_in_a_sum_are_found(bench: Bench) -> None:
    """Two rows exchange their values; two pairs of equal rows."""
    mapped = people(bench)
    damage(bench, "UPDATE new.c SET v = CASE mail WHEN 'm1' THEN 2 ELSE 1 END WHERE mail IN ('m1', 'm2')")
    assert counts(mapped) == (0, 2, 0)
    damage(bench, "UPDATE new.c SET v = 1 WHERE mail IN ('m1', 'm2', 'm3', 'm4')")
    assert counts(mapped) == (0, 3, 0)


def test_what_is_logged_and_not_yet_applied_is_pending_and_not_wrong(bench: Bench) -> None:
    """In one snapshot: differences minus the keys that visible changes still touch."""
    mapped = people(bench)
    bench.sql(
        "UPDATE old.p SET v = 0 WHERE id <= 10",
        "DELETE FROM old.p WHERE id = 11",
        "INSERT INTO old.p VALUES (1000, 'new', 1, 'w')",
        "UPDATE old.p SET mail = 'moved' WHERE id = 12",
        "UPDATE new.c SET v = 7 WHERE mail = 'm20'",
        "DELETE FROM new.c WHERE mail = 'm21'",
        "INSERT INTO new.c VALUES ('own', 1, 'w')",
    )
    found = mapped.compare()
    assert (found.missing, found.different, found.extra) == (0, 0, 0)
    assert found.pending == 10 + 1 + 1 + 2 + 3
    damage(bench, "UPDATE new.c SET w = 'damaged' WHERE mail IN ('m5', 'm100')")
    assert counts(mapped) == (0, 1, 0), "a key with a pending change cannot be judged; the other one can"
    mapped.drain()
    assert counts(mapped) == (0, 1, 0)


def test_keys_that_wait_for_a_second_look_are_pending(bench: Bench) -> None:
    """A chunk put them there, which may have written what another row should win."""
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, mail text, v numeric, w text)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, v numeric, w text)",
        "INSERT INTO old.p SELECT n, 'same', 100 - n, repeat('w', 1700) FROM generate_series(1, 8) AS n",
    )
    mapped = bench.define(**STEP)
    mapped.backfill()
    assert mapped.rechecks() == 1
    found = mapped.compare()
    assert (found.different, found.pending) == (0, 1)


def test_what_commits_during_the_comparison_is_not_seen_on_either_side(bench: Bench) -> None:
    """The logs, the source and the target are read in one snapshot; nobody waits for it."""
    mapped = people(bench)
    group = mapped.load()
    with reconcile.one_snapshot(bench.conn, group):
        bench.conn.execute("SELECT 1 FROM pg_class LIMIT 1")
        bench.sql("SET lock_timeout = '100ms'", "UPDATE old.p SET v = v + 1", "DELETE FROM old.p WHERE id = 1")
        bench.sql("UPDATE new.c SET v = 0 WHERE mail = 'm5'")
        mapped.batch()
        found = reconcile.reconcile(bench.conn, group)
        assert (found.missing, found.different, found.extra, found.pending) == (0, 0, 0, 0)
        assert found.identical
        accounts = accounting.account(bench.conn, group, group.compiled[0], found)
        assert (accounts.source_rows, accounts.migrated, accounts.adds_up) == (300, 300, True)
    mapped.drain()
    assert counts(mapped) == (0, 0, 0)


def test_no_log_is_emptied_behind_a_comparison(bench: Bench) -> None:
    """TRUNCATE is not bound by snapshots: what is pending would seem to be wrong."""
    bench.patch.setattr("lockgate.mapping.upkeep.ROTATE_BYTES", 1)
    mapped = people(bench)
    bench.sql("UPDATE old.p SET v = 0 WHERE id = 1")
    tool = bench.tool()
    log = mapped.log_of("old.p")
    assert upkeep.tidy(tool, changelog.by_id(tool, log)), "rotated"
    group = mapped.load()
    with reconcile.one_snapshot(bench.conn, group):
        bench.conn.execute("SELECT 1 FROM pg_class LIMIT 1")
        mapped.batch()
        assert not upkeep.tidy(tool, changelog.by_id(tool, log)), "not emptied"
        found = reconcile.reconcile(bench.conn, group)
        assert (found.different, found.pending) == (0, 1)
    assert upkeep.tidy(tool, changelog.by_id(tool, log)), "emptied"


def test_a_repair_puts_every_difference_right(bench: Bench) -> None:
    """It marks the keys that differ, and the applier does the rest."""
    mapped = people(bench)
    damage(bench, "DELETE FROM new.c WHERE v < 50", "UPDATE new.c SET w = NULL WHERE v > 250")
    assert mapped.repair() == 49 + 50
    mapped.drain()
    mapped.assert_agrees()


def test_a_transform_is_compared_in_the_rows_that_it_speaks_of(bench: Bench) -> None:
    """Rows that it does not yield are no difference, nor are rows that are not there."""
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, v text, w text)",
        "INSERT INTO old.p SELECT n, 'V' || n, 'none' FROM generate_series(1, 10) AS n",
    )
    select = "SELECT s.id, lower(s.v) AS w FROM old.p s WHERE s.id > 5"
    mapped = bench.map(transform="w", table="old.p", key=["id"], from_="old.p", select=select)
    mapped.assert_agrees()
    assert mapped.compare().target_rows == 5
    bench.sql("ALTER TABLE old.p DISABLE TRIGGER ALL", "UPDATE old.p SET w = 'damaged'")
    assert counts(mapped) == (0, 5, 0)


# Type of the target's column -> what is yielded of an unlimited type, and whether the target can hold it.
LIMITED = {
    "a varchar that is too long": ("varchar(5)", "text", "'abcdeXXX'", False),
    "a varchar with spaces too many": ("varchar(5)", "text", "'abc      '", True),
    "a char that is too long": ("char(5)", "text", "'abcdeXXX'", False),
    "a char that is padded": ("char(5)", "text", "'abc'", True),
    "a domain over varchar": ("public.short", "text", "'abcdeXXX'", False),
    "a value that a domain refuses": ("public.short", "text", "'bad'", False),
    "an array of varchar": ("varchar(5)[]", "text[]", "'{abcde,abcdeXXX}'", False),
    "an array of char": ("char(5)[]", "text[]", "'{abc,NULL}'", True),
    "bits that are too many": ("bit(3)", "varbit", "B'1010'", False),
    "bits that are too few": ("bit(3)", "varbit", "B'10'", False),
    "varying bits that are too many": ("varbit(3)", "varbit", "B'1010'", False),
    "a number with a long fraction": ("numeric(10,2)", "numeric", "1.23456", True),
    "a domain over a number": ("public.money2", "numeric", "1.23456", True),
    "a time with a long fraction": ("timestamp(0)", "timestamp", "'2024-01-01 00:00:00.4'", True),
}


@pytest.mark.parametrize("case", LIMITED)
def test_a_value_that_the_target_cannot_hold_is_a_difference(bench: Bench, case: str) -> None:
    """It is compared as it would be assigned, not as a cast would cut it."""
    type_, given, value, fits = LIMITED[case]
    first = {"text": "'abcde'", "text[]": "'{abcde,abcde}'", "varbit": "B'101'", "numeric": "1"}.get(
        given, "'2000-01-01'"
    )
    bench.sql(
        "CREATE DOMAIN public.short AS varchar(5) CHECK (VALUE <> 'bad')",
        "CREATE DOMAIN public.money2 AS numeric(10,2)",
        f"CREATE TABLE old.p (id int PRIMARY KEY, v {given})",
        f"CREATE TABLE new.c (id int PRIMARY KEY, v {type_})",
        f"INSERT INTO old.p VALUES (1, {first}), (2, {first}), (3, NULL)",
    )
    mapped = bench.map(map="t", into="new.c", key=["id"], from_="old.p", select="SELECT s.id, s.v FROM old.p s")
    mapped.assert_agrees()
    bench.sql(f"UPDATE old.p SET v = {value} WHERE id = 1")
    mapped.drain()
    assert len(mapped.poison()) == (0 if fits else 1)
    assert counts(mapped) == (0, 0 if fits else 1, 0)


def test_a_key_that_is_too_long_is_missing(bench: Bench) -> None:
    """And not taken for the one that it would be cut to."""
    bench.sql(
        "CREATE TABLE old.p (v text PRIMARY KEY, w int)",
        "CREATE TABLE new.c (v varchar(5) PRIMARY KEY, w int)",
        "INSERT INTO old.p VALUES ('abcde', 1)",
    )
    mapped = bench.map(map="t", into="new.c", key=["v"], from_="old.p", select="SELECT s.v, s.w FROM old.p s")
    bench.sql("UPDATE old.p SET v = 'abcdeXXX'")
    mapped.drain()
    assert [key for key, _ in mapped.poison()] == [{"v": "abcdeXXX"}]
    assert counts(mapped) == (1, 0, 0)


def test_the_planner_knows_of_many_pending_changes_of_both_sides_of_a_join(bench: Bench) -> None:
    """Taken for few, those of the one side are read again for each of the other: hours, where seconds would do."""
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, q bigint)",
        "CREATE TABLE old.q (id bigint PRIMARY KEY, v text)",
        "CREATE TABLE new.c (id bigint PRIMARY KEY, v text)",
        "INSERT INTO old.q SELECT n, 'v' FROM generate_series(1, 1200) AS n",
        "INSERT INTO old.p SELECT n, n FROM generate_series(1, 1200) AS n",
    )
    select = "SELECT s.id, o.v FROM old.p s JOIN old.q o ON o.id = s.q"
    mapped = bench.map(map="joined", into="new.c", key=["id"], from_="old.p", select=select)
    bench.sql("UPDATE old.p SET q = 1201 - q", "UPDATE old.q SET v = 'w'")
    conn = bench.tool()
    with conn.transaction(force_rollback=True):
        Intake(conn, mapped.load()).collect_pending()
        known = conn.execute(
            "SELECT reltuples FROM pg_class WHERE relname LIKE 'lockgate\\_oth\\_%' "
            "AND relkind = 'r' AND relnamespace = pg_my_temp_schema()"
        ).fetchall()
    assert known == [(2400.0,), (2400.0,)]  # each change has an old and a new version
