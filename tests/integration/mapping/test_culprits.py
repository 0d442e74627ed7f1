"""A comparison that fails on the data says where in the mapping, and names rows."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.errors import LockgateError
from lockgate.mapping import culprits
from tests.integration.mapping.harness import Bench, Mapped, Step

SOURCE = "CREATE TABLE old.p (id int PRIMARY KEY, v bigint, w text, g int NOT NULL DEFAULT 1)"
STEP: Step = {
    "map": "rows",
    "into": "new.c",
    "key": ["id"],
    "from_": "old.p",
    "select": "SELECT s.id, s.v, s.w::date AS day FROM old.p s",
}


def filled(bench: Bench, *more: str, **step: Any) -> Mapped:
    """A mapping of 5,000 good rows, over several blocks."""
    bench.sql(
        SOURCE,
        "CREATE TABLE new.c (id int PRIMARY KEY, v int, day date)",
        "INSERT INTO old.p SELECT n, n, '2026-01-01' FROM generate_series(1, 5000) AS n",
        "ANALYZE old.p",
        *more,
    )
    return bench.map(**{**STEP, "sync": "none", **step})


def failure(mapped: Mapped) -> LockgateError:
    with pytest.raises(LockgateError, match=r"cannot be compared with new\.c") as caught:
        mapped.account()
    return caught.value


def test_a_number_out_of_range_is_found_with_its_column_and_keys(bench: Bench) -> None:
    mapped = filled(bench)
    bench.sql("UPDATE old.p SET v = 3000000000 WHERE id IN (17, 2500, 4999)")
    error = failure(mapped)
    assert error.what == "What rows yields cannot be compared with new.c: it fails at column v of mapping rows"
    assert error.why == "integer out of range (SQLSTATE 22003)"
    rows = "id = '17'; id = '2500'; id = '4999'"
    assert error.hint == f"Correct the mapping, or these rows of old.p and perhaps others: {rows}"


def test_a_text_that_is_no_date(bench: Bench) -> None:
    """The SELECT itself fails on it. The row's value is told nowhere."""
    mapped = filled(bench)
    bench.sql("UPDATE old.p SET w = 'secret' WHERE id = 4000")
    error = failure(mapped)
    assert error.what.endswith("it fails at column day of mapping rows")
    assert "id = '4000'" in str(error.hint)
    assert "secret" not in str(error)


def test_a_partitioned_source_with_a_key_of_two_columns(bench: Bench) -> None:
    bench.sql(
        "CREATE TABLE old.q (id int, part int, v bigint, PRIMARY KEY (id, part)) PARTITION BY LIST (part)",
        "CREATE TABLE old.q1 PARTITION OF old.q FOR VALUES IN (1)",
        "CREATE TABLE old.q2 PARTITION OF old.q FOR VALUES IN (2)",
        "INSERT INTO old.q SELECT n, 1 + n % 2, n FROM generate_series(1, 2000) AS n",
        "CREATE TABLE new.c (id int PRIMARY KEY, v int)",
    )
    step: Step = {"map": "q", "into": "new.c", "key": ["id"], "from_": "old.q", "sync": "none"}
    mapped = bench.map(**step, select="SELECT s.id, s.v FROM old.q s")
    bench.sql("UPDATE old.q SET v = 3000000000 WHERE id = 777")
    assert "id = '777' AND part = '2'" in str(failure(mapped).hint)


def test_a_source_without_a_key_is_told_by_place(bench: Bench) -> None:
    mapped = filled(bench, "ALTER TABLE old.p DROP CONSTRAINT p_pkey")
    bench.sql("UPDATE old.p SET v = 3000000000 WHERE id = 77")
    place = bench.one("SELECT ctid::text FROM old.p WHERE id = 77")
    assert f"ctid = '{place}'" in str(failure(mapped).hint)


def test_a_word_of_the_winner_and_a_reason(bench: Bench) -> None:
    """All that the comparison and the accounts evaluate is asked, and a reason only of rows that do not yield."""
    mapped = filled(
        bench,
        "UPDATE old.p SET g = 0, w = 'x' WHERE id = 33",
        select="SELECT s.id, s.v FROM old.p s WHERE s.g > 0",
        winner=["10 / s.g"],
        rejected={"no group": "s.g = 0 AND s.w IS NOT NULL", "bad": "s.w::date < '2026-01-01'"},
    )
    assert mapped.account().rejected == 1
    bench.sql("UPDATE old.p SET g = -1, w = 'secret' WHERE id = 33")
    error = failure(mapped)
    assert error.what.endswith("it fails at reason 'bad' of mapping rows")
    assert "id = '33'" in str(error.hint)


def test_the_mapping_of_several_is_named(bench: Bench) -> None:
    filled(bench, map="first", select="SELECT s.id, s.v FROM old.p s WHERE s.id < 100")
    more = "SELECT s.id + 10000 AS id, s.v FROM old.p s WHERE s.id > 100"
    mapped = bench.map(**{**STEP, "map": "second", "sync": "none", "select": more})
    bench.sql("UPDATE old.p SET v = 3000000000 WHERE id = 101")
    error = failure(mapped)
    assert error.what.startswith("What first and second yields cannot be compared")
    assert error.what.endswith("it fails at column v of mapping second")
    assert "second" in str(error.where)


def test_a_search_that_takes_too_long_ends(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(culprits, "SECONDS", 0)
    mapped = filled(bench)
    bench.sql("UPDATE old.p SET v = 3000000000 WHERE id = 17")
    error = failure(mapped)
    assert error.what == "What rows yields cannot be compared with new.c"
    assert error.hint == "Correct the plan or the data, then run the command again."


def test_nothing_is_found_where_nothing_is_wrong_any_more(bench: Bench) -> None:
    """The row was corrected in between: then it is said what failed, and no more."""
    mapped = filled(bench)
    bench.sql("UPDATE old.p SET v = 3000000000 WHERE id = 17")
    found = culprits.find(bench.conn, mapped.load().compiled)
    assert found is not None
    assert (found.part, found.rows) == ("column v", ("id = '17'",))
    bench.sql("UPDATE old.p SET v = 1 WHERE id = 17")
    assert culprits.find(bench.conn, mapped.load().compiled) is None


def test_a_row_of_another_relation_is_not_laid_on_those_that_it_is_joined_with(bench: Bench) -> None:
    """Whichever row of the source is asked for, the join reads all of the other relation."""
    mapped = filled(
        bench,
        "CREATE TABLE old.x (id int PRIMARY KEY, code text)",
        "INSERT INTO old.x SELECT n, n::text FROM generate_series(1, 5000) AS n",
        select="SELECT s.id, s.v FROM old.p s JOIN old.x x ON x.code::int = s.id",
        rejected={"all": "true"},
    )
    bench.sql("UPDATE old.x SET code = 'none' WHERE id = 4000")
    error = failure(mapped)
    assert error.what.endswith("it fails at FROM or WHERE of mapping rows")
    assert "id =" not in str(error.hint)
