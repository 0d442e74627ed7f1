"""Changing rows in place: in batches, kept so, and taken back from what was kept."""

from __future__ import annotations

import pytest

from lockgate.errors import PlanError
from lockgate.mapping import blocks, removal
from tests.integration.mapping.harness import Bench, Mapped, Step

TABLE = """
CREATE TABLE old.p (id bigint PRIMARY KEY, mail varchar(200), kind text, n int, note text);
INSERT INTO old.p SELECT n, 'Mail' || n || '@X', 'k' || n % 2, 0, repeat('x', 1500) FROM generate_series(1, 10) AS n
"""
STEP: Step = {
    "transform": "lower",
    "table": "old.p",
    "key": ["id"],
    "from_": "old.p",
    "select": "SELECT s.id, lower(s.mail) AS mail FROM old.p s",
}


def lower(bench: Bench, **step: object) -> Mapped:
    """A live transform of ten rows in several blocks."""
    bench.sql(TABLE)
    return bench.map(**STEP | step)


def take_back(bench: Bench, mapped: Mapped) -> None:
    """What the undo does with the rows."""
    with bench.conn.transaction():
        removal.take_back(bench.conn, mapped.load(), 0, born_too=False)


def test_rows_are_changed_in_place_and_kept_so(bench: Bench) -> None:
    """Those that are there, those that come and those that change; of another type than the column's, too."""
    mapped = lower(bench)
    assert bench.one("SELECT count(*) FROM old.p WHERE mail = lower(mail)") == 10
    bench.sql("INSERT INTO old.p VALUES (11, 'NEW@X')", "UPDATE old.p SET mail = 'CHANGED@X' WHERE id = 2")
    mapped.drain()
    assert bench.rows("SELECT mail FROM old.p WHERE id IN (2, 11) ORDER BY id") == [("changed@x",), ("new@x",)]
    bench.sql("DELETE FROM old.p WHERE id = 2")
    mapped.drain()
    mapped.assert_agrees()


def test_a_row_that_is_right_already_is_not_written(bench: Bench) -> None:
    """Nor is it written a second time by the applier for having been written."""
    bench.sql(TABLE, "UPDATE old.p SET mail = lower(mail) WHERE id <= 4")
    mapped = bench.define(**STEP)
    before = bench.rows("SELECT id, xmin FROM old.p WHERE id <= 4 ORDER BY id")
    assert mapped.backfill() == 6
    after = bench.rows("SELECT id, xmin FROM old.p ORDER BY id")
    assert after[:4] == before
    mapped.drain()
    assert bench.rows("SELECT id, xmin FROM old.p ORDER BY id") == after


def test_its_own_writes_are_not_logged_for_itself(bench: Bench) -> None:
    """A table that is read once has just been read; the application's writes are logged all the same."""
    mapped = lower(bench)
    writer = str(mapped.target_id)
    assert mapped.logged("old.p", writer) == ""
    bench.sql("UPDATE old.p SET mail = 'X' WHERE id = 1")
    assert mapped.logged("old.p", writer) == "U"


def test_a_chunk_that_waited_for_the_application_is_looked_at_again(bench: Bench) -> None:
    """It read the old row, and writes over the new one; the new one's change is taken in before and after."""
    bench.sql(TABLE)
    mapped = bench.define(**STEP)
    mapped.batch()
    chunk, app = bench.tool(), bench.connect()
    app.execute("BEGIN")
    app.execute("UPDATE old.p SET mail = 'CHANGED@X' WHERE id = 1")
    with bench.blocked(chunk, lambda: mapped.chunk(chunk)):
        app.execute("COMMIT")
    mapped.backfill()
    mapped.drain()
    assert bench.one("SELECT mail FROM old.p WHERE id = 1") == "changed@x"
    mapped.assert_agrees()


def test_a_row_that_moved_before_its_chunk_could_change_it_is_looked_at_again(bench: Bench) -> None:
    """The application changed a column that nobody follows: no log tells of it."""
    bench.patch.setattr("lockgate.mapping.manners.LOCK_TIMEOUT_MS", 60_000)
    bench.sql(TABLE, "CREATE TABLE old.v (id bigint PRIMARY KEY, n int)", "INSERT INTO old.v VALUES (1, 5)")
    mapped = bench.define(**STEP | {"select": "SELECT v.id, v.n FROM old.v v", "from_": "old.v"})
    mapped.batch()
    chunk, app = bench.tool(), bench.connect()
    chunk.execute("SET deadlock_timeout = '1h'")
    app.execute("BEGIN")
    app.execute("UPDATE old.p SET note = 'changed' WHERE id = 1")
    with bench.blocked(chunk, lambda: mapped.chunk(chunk)):
        app.execute("COMMIT")
    mapped.backfill()
    mapped.drain()
    assert bench.rows("SELECT n, note FROM old.p WHERE id = 1") == [(5, "changed")]
    mapped.assert_agrees()


def test_what_another_table_says_is_followed(bench: Bench) -> None:
    """A column filled from a join, and from the row itself."""
    bench.sql(TABLE, "CREATE TABLE old.k (kind text PRIMARY KEY, n int)", "INSERT INTO old.k VALUES ('k0', 5)")
    select = "SELECT s.id, k.n FROM old.p s JOIN old.k k ON k.kind = s.kind"
    mapped = bench.map(**STEP | {"select": select})
    assert bench.one("SELECT sum(n) FROM old.p") == 25
    bench.sql(
        "UPDATE old.k SET n = 7", "UPDATE old.p SET kind = 'k0' WHERE id = 1", "INSERT INTO old.k VALUES ('k1', 1)"
    )
    mapped.drain()
    assert bench.one("SELECT sum(n) FROM old.p") == 6 * 7 + 4 * 1
    bench.sql("UPDATE old.p SET n = 100 WHERE id = 1")
    mapped.drain()
    assert bench.one("SELECT n FROM old.p WHERE id = 1") == 7
    mapped.assert_agrees()


def test_a_row_that_several_rows_decide_has_the_winners_value(bench: Bench) -> None:
    """Of one chunk, of several chunks, and later."""
    bench.sql(
        TABLE,
        "CREATE TABLE old.v (id int PRIMARY KEY, p bigint, n int, note text)",
        "INSERT INTO old.v SELECT n, 1 + n % 2, 100 - n, repeat('x', 1500) FROM generate_series(1, 20) AS n",
    )
    select = "SELECT p.id, s.n FROM old.v s JOIN old.p p ON p.id = s.p"
    mapped = bench.define(**STEP | {"select": select, "from_": "old.v", "winner": ["s.n"]})
    mapped.backfill()
    mapped.drain()
    assert bench.rows("SELECT n FROM old.p WHERE id < 3 ORDER BY id") == [(80,), (81,)]
    bench.sql("DELETE FROM old.v WHERE n = 80")
    mapped.drain()
    assert bench.rows("SELECT n FROM old.p WHERE id < 3 ORDER BY id") == [(82,), (81,)]
    mapped.assert_agrees()


def test_a_row_that_rows_of_several_chunks_decide_has_the_winners_value(bench: Bench) -> None:
    """Each chunk changes it once, and the last one does not read the winner."""
    bench.sql(
        TABLE,
        "CREATE TABLE old.v (id int PRIMARY KEY, p bigint, n int, note text)",
        "ALTER TABLE old.v ALTER note SET STORAGE PLAIN",
        "INSERT INTO old.v SELECT n, 1, n, repeat('x', 5000) FROM generate_series(1, 4) AS n",
    )
    select = "SELECT p.id, s.n FROM old.v s JOIN old.p p ON p.id = s.p"
    mapped = bench.define(**STEP | {"select": select, "from_": "old.v", "winner": ["s.n"]})
    assert mapped.chunks_left() == 4
    mapped.backfill()
    mapped.drain()
    assert bench.one("SELECT n FROM old.p WHERE id = 1") == 1
    mapped.assert_agrees()


def test_a_table_read_twice_follows_its_own_writes(bench: Bench) -> None:
    """What it writes into one row, another row reads."""
    bench.sql(TABLE)
    select = "SELECT s.id, coalesce(o.n, 0) + 1 AS n FROM old.p s LEFT JOIN old.p o ON o.id = s.id - 1"
    mapped = bench.define(**STEP | {"select": select, "from_": "old.p s"}, chunk_rows=3)
    mapped.backfill()
    mapped.drain()
    assert [n for (n,) in bench.rows("SELECT n FROM old.p ORDER BY id")] == list(range(1, 11))
    bench.sql("DELETE FROM old.p WHERE id = 5")
    mapped.drain()
    assert [n for (n,) in bench.rows("SELECT n FROM old.p ORDER BY id")] == [1, 2, 3, 4, 1, 2, 3, 4, 5]
    mapped.assert_agrees()


def test_two_transforms_of_one_table_do_not_disturb_each_other(bench: Bench) -> None:
    """One reads what the other writes."""
    first = lower(bench)
    select = "SELECT s.id, length(s.mail) AS n FROM old.p s WHERE s.mail = lower(s.mail)"
    second = bench.map(**STEP | {"transform": "length", "select": select})
    bench.sql("UPDATE old.p SET mail = 'LONGER@X' WHERE id = 1")
    for each in (second, first, second, first):
        each.drain()
    assert bench.rows("SELECT mail, n FROM old.p WHERE id = 1") == [("longer@x", 8)]
    first.assert_agrees()
    second.assert_agrees()


def test_the_values_from_before_are_kept_and_put_back(bench: Bench) -> None:
    """Without them there is no way back: lower(x) does not tell x."""
    mapped = lower(bench)
    bench.sql("UPDATE old.p SET mail = 'Later@X' WHERE id = 2", "INSERT INTO old.p VALUES (11, 'New@X')")
    mapped.drain()
    bench.sql("UPDATE old.p SET note = 'untouched'")
    take_back(bench, mapped)
    mails: dict[int, str] = dict(bench.rows("SELECT id, mail FROM old.p"))
    assert mails[1] == "Mail1@X"
    assert (mails[2], mails[11]) == ("Later@X", "New@X"), "what the application wrote last"
    assert bench.one("SELECT count(*) FROM old.p WHERE note = 'untouched'") == 11


def test_rows_that_the_application_changed_since_are_said_to_be_at_stake(bench: Bench) -> None:
    """The undo would put older values over them."""
    mapped = lower(bench)
    assert removal.rows_at_stake(bench.conn, mapped.load()) == 0
    bench.sql("ALTER TABLE old.p DISABLE TRIGGER ALL", "UPDATE old.p SET mail = 'own' WHERE id = 3")
    assert removal.rows_at_stake(bench.conn, mapped.load()) == 1


def test_nothing_is_kept_where_the_plan_says_so(bench: Bench) -> None:
    """And so nothing is put back."""
    mapped = lower(bench, keep_before=False)
    take_back(bench, mapped)
    assert bench.one("SELECT mail FROM old.p WHERE id = 1") == "mail1@x"


def test_a_transform_that_changes_nothing_is_refused(bench: Bench) -> None:
    """It yields the key only."""
    bench.sql(TABLE)
    with pytest.raises(PlanError, match="changes no column"):
        bench.compile(**STEP | {"select": "SELECT s.id FROM old.p s"})


def test_a_target_that_the_select_does_not_read_is_followed(bench: Bench) -> None:
    """The value was there before the row that it belongs to; the application writes over it."""
    bench.sql(TABLE, "CREATE TABLE old.v (id bigint PRIMARY KEY, n int)", "INSERT INTO old.v VALUES (1, 5), (20, 6)")
    mapped = bench.map(**STEP | {"select": "SELECT v.id, v.n FROM old.v v", "from_": "old.v"})
    bench.sql("INSERT INTO old.p VALUES (20, 'x')", "UPDATE old.p SET n = 100 WHERE id = 1")
    mapped.drain()
    assert bench.rows("SELECT n FROM old.p WHERE id IN (1, 20) ORDER BY id") == [(5,), (6,)]
    mapped.assert_agrees()
    assert mapped.born() == 0


def test_a_value_kept_is_the_last_that_the_application_wrote(bench: Bench) -> None:
    """Not one that the transform itself wrote, nor an older one."""
    bench.sql(TABLE, "CREATE TABLE old.v (id bigint PRIMARY KEY, n int)", "INSERT INTO old.v VALUES (1, 5), (2, 5)")
    mapped = bench.map(**STEP | {"select": "SELECT v.id, v.n FROM old.v v", "from_": "old.v"})
    bench.sql("UPDATE old.v SET n = 6")
    mapped.drain()
    bench.sql("UPDATE old.p SET n = 100 WHERE id = 2")
    mapped.drain()
    bench.sql("UPDATE old.v SET n = 7")
    mapped.drain()
    assert removal.rows_at_stake(bench.conn, mapped.load()) == 0
    take_back(bench, mapped)
    assert bench.rows("SELECT n FROM old.p WHERE id < 3 ORDER BY id") == [(0,), (100,)]


def test_a_chunk_keeps_nothing_of_a_row_that_it_left_alone(bench: Bench) -> None:
    """The value of before is the application's later one."""
    bench.sql(TABLE)
    mapped = bench.define(**STEP)
    mapped.batch()
    chunk, app = bench.tool(), bench.connect()
    app.execute("BEGIN")
    app.execute("UPDATE old.p SET mail = 'CHANGED@X' WHERE id = 1")
    with bench.blocked(chunk, lambda: mapped.chunk(chunk)):
        app.execute("COMMIT")
    mapped.backfill()
    mapped.drain()
    take_back(bench, mapped)
    assert bench.one("SELECT mail FROM old.p WHERE id = 1") == "CHANGED@X"


def test_values_are_compared_as_the_column_holds_them(bench: Bench) -> None:
    """Rounded, padded, and of a domain."""
    bench.sql(
        "CREATE DOMAIN public.mail AS text CHECK (VALUE <> 'bad')",
        "CREATE TABLE old.p (id int PRIMARY KEY, a numeric(10, 2), c char(5), d public.mail, t timestamp(0))",
        "INSERT INTO old.p VALUES (1, 1.005, 'AB', 'X', '2024-01-01 00:00:00'), (2, 2, 'CD', 'Y', NULL)",
    )
    select = (
        "SELECT s.id, s.a / 3 AS a, lower(s.c) AS c, lower(s.d) AS d, s.t + interval '0.4 s' AS t FROM old.p s "
        "WHERE s.c <> lower(s.c)"
    )
    mapped = bench.map(**STEP | {"select": select})
    assert bench.rows("SELECT a::text, c, d FROM old.p ORDER BY id") == [("0.34", "ab   ", "x"), ("0.67", "cd   ", "y")]
    assert removal.rows_at_stake(bench.conn, mapped.load()) == 0
    take_back(bench, mapped)
    assert bench.rows("SELECT a::text, c, d FROM old.p ORDER BY id") == [("1.01", "AB   ", "X"), ("2.00", "CD   ", "Y")]


def test_values_are_put_back_block_by_block(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """However far it got, it goes on; what the application writes meanwhile stays."""
    monkeypatch.setattr(blocks, "_BLOCKS", 1)
    mapped = lower(bench)
    before: dict[int, str] = {n: f"Mail{n}@X" for n in range(1, 11)}
    back, block = 0, 0
    while not back:
        with bench.conn.transaction():
            block = removal.take_back(bench.conn, mapped.load(), block, born_too=False) or 0
        back = bench.one("SELECT count(*) FROM old.p WHERE mail <> lower(mail)")
    assert back < 10
    assert removal.rows_at_stake(bench.conn, mapped.load()) == 0, "what is back is not lost"
    bench.sql("UPDATE old.p SET mail = 'own' WHERE id = 10")
    assert removal.rows_at_stake(bench.conn, mapped.load()) == 1
    rest: int | None = 0
    while rest is not None:
        with bench.conn.transaction():
            rest = removal.take_back(bench.conn, mapped.load(), rest, born_too=False)
    assert dict(bench.rows("SELECT id, mail FROM old.p")) == before | {10: "own"}
    with bench.conn.transaction():
        removal.take_back(bench.conn, mapped.load(), 0, born_too=True)
