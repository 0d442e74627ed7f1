"""Taking the log in: by what is visible and not by number, in pieces, and never for ever."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import Connection

from lockgate.mapping import changelog, upkeep
from lockgate.mapping.changelog import ChangeLog
from lockgate.mapping.status import status
from tests.integration.mapping.harness import PLAN, Bench, Mapped, Step

STEP: Step = {
    "map": "people",
    "into": "new.c",
    "key": ["id"],
    "from_": "old.p",
    "select": "SELECT s.id, s.mail FROM old.p s",
}


def people(bench: Bench, rows: int = 9, **step: object) -> Mapped:
    """A live mapping of so many rows."""
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, mail text)",
        "CREATE TABLE new.c (id bigint PRIMARY KEY, mail text)",
        f"INSERT INTO old.p SELECT n, 'm' || n FROM generate_series(1, {rows}) AS n",
    )
    return bench.map(**STEP | step)


def test_a_change_that_commits_late_is_not_skipped(bench: Bench) -> None:
    """Its number in the log is smaller than that of changes that were taken in before it became visible."""
    mapped = people(bench)
    slow = bench.connect()
    with slow.transaction():
        slow.execute("UPDATE old.p SET mail = 'slow' WHERE id = 1")
        bench.sql("UPDATE old.p SET mail = 'fast' WHERE id = 2")
        mapped.drain()
        assert bench.rows("SELECT mail FROM new.c WHERE id < 3 ORDER BY id") == [("m1",), ("fast",)]
    mapped.drain()
    assert bench.rows("SELECT mail FROM new.c WHERE id < 3 ORDER BY id") == [("slow",), ("fast",)]
    mapped.assert_agrees()


def test_a_prepared_transaction_is_taken_in_when_it_commits(bench: Bench) -> None:
    """However long after, and after a change of the applier."""
    mapped = people(bench)
    bench.sql("BEGIN", "DELETE FROM old.p WHERE id = 1", "PREPARE TRANSACTION 'two'")
    bench.sql("DELETE FROM old.p WHERE id = 2")
    mapped.drain()
    mapped.new_applier()
    bench.sql("COMMIT PREPARED 'two'")
    mapped.drain()
    assert bench.one("SELECT min(id) FROM new.c") == 3
    mapped.assert_agrees()


def test_what_was_rolled_back_is_not_applied(bench: Bench) -> None:
    """A savepoint's changes go with it."""
    mapped = people(bench)
    bench.sql("BEGIN", "SAVEPOINT s", "UPDATE old.p SET mail = 'undone' WHERE id = 1", "ROLLBACK TO s")
    bench.sql("UPDATE old.p SET mail = 'done' WHERE id = 2", "COMMIT")
    assert mapped.batch().changes == 1
    assert bench.rows("SELECT mail FROM new.c WHERE id < 3 ORDER BY id") == [("m1",), ("done",)]


def test_a_batch_takes_nothing_twice(bench: Bench) -> None:
    """The rows stay in the log, and the snapshot says which of them were taken in."""
    mapped = people(bench)
    bench.sql("UPDATE old.p SET mail = upper(mail)")
    assert [mapped.batch().changes for _ in range(3)] == [9, 0, 0]


def test_a_batch_that_failed_is_repeated_whole(bench: Bench) -> None:
    """Evaluation starts from what is, so that a repetition does no harm."""
    mapped = people(bench)
    bench.sql("UPDATE old.p SET mail = upper(mail)")

    def fail() -> None:
        raise RuntimeError("killed")

    bench.at("applier.commit", fail)
    with pytest.raises(RuntimeError):
        mapped.batch()
    assert bench.one("SELECT count(*) FROM new.c WHERE mail LIKE 'M%'") == 0
    mapped.drain()
    assert bench.one("SELECT count(*) FROM new.c WHERE mail LIKE 'M%'") == 9


def test_temporary_tables_are_made_once_a_session(bench: Bench) -> None:
    """Made anew for each batch, they would bloat the server's catalog."""
    mapped = people(bench)
    applier = mapped.applier()
    assert applier.run().updated == 0
    sent = bench.listen(applier.conn)
    made = []
    for number in range(3):
        bench.sql(f"UPDATE old.p SET mail = 'new{number}' WHERE id = 1")
        assert applier.run().updated == 1
        made.append(len([text for text in sent if "CREATE" in text]))
    assert made == [1, 1, 1], "that of the images, when the first were there"


def test_a_batch_that_failed_leaves_no_temporary_table_behind(bench: Bench) -> None:
    """What it made has gone with it, and is made again."""
    mapped = people(bench)
    applier = mapped.applier()
    bench.sql("UPDATE old.p SET mail = 'new' WHERE id = 1")

    def fail() -> None:
        raise RuntimeError("killed")

    bench.at("applier.commit", fail)
    with pytest.raises(RuntimeError):
        applier.run()
    assert applier.run().updated == 1


def test_an_idle_applier_knows_it(bench: Bench) -> None:
    """Asking costs no transaction number and takes no turn."""
    mapped = people(bench)
    mapped.drain()
    applier = mapped.applier()
    assert applier.idle()
    bench.sql("UPDATE old.p SET mail = 'new' WHERE id = 1")
    assert not applier.idle()
    mapped.drain()
    assert applier.idle()
    bench.sql("UPDATE new.c SET mail = 'own' WHERE id = 1")
    assert not applier.idle()


def in_small_batches(bench: Bench) -> None:
    """Few changes are too many for one batch, and a backlog is taken a block at a time."""
    bench.patch.setattr("lockgate.mapping.intake.BATCH", 50)
    bench.patch.setattr("lockgate.mapping.intake.PIECE_BLOCKS", 1)


def test_many_changes_are_taken_in_pieces_and_fresh_ones_before_them(bench: Bench) -> None:
    """A bulk update waits as a backlog; what is written meanwhile does not wait behind it."""
    in_small_batches(bench)
    bench.patch.setattr("lockgate.mapping.intake.GROWTH", 1)
    mapped = people(bench, 2000)
    bench.sql("UPDATE old.p SET mail = 'bulk' || id")
    first = mapped.batch()
    assert first.pending
    assert first.changes < 300, "a piece, not all"
    bench.sql("UPDATE old.p SET mail = 'fresh' WHERE id = 2000")
    mapped.batch()
    assert bench.one("SELECT mail FROM new.c WHERE id = 2000") == "fresh"
    assert bench.one("SELECT count(*) FROM new.c WHERE mail LIKE 'm%'") > 1000
    more = mapped.drain()
    assert len(more) > 5
    assert bench.one("SELECT count(*) FROM new.c WHERE mail LIKE 'bulk%'") == 1999
    mapped.assert_agrees()


def test_a_small_change_that_is_seen_together_with_a_bulk_does_not_wait_behind_it(bench: Bench) -> None:
    """Of a window that is too much for one batch, the newest small transactions are taken in at once."""
    in_small_batches(bench)
    bench.patch.setattr("lockgate.mapping.intake.GROWTH", 1)
    mapped = people(bench, 2000)
    bench.sql("UPDATE old.p SET mail = 'before' WHERE id = 1998")
    bench.sql("UPDATE old.p SET mail = 'bulk' || id WHERE id <= 1997")
    bench.sql("UPDATE old.p SET mail = 'after' WHERE id = 1999")
    bench.sql("DELETE FROM old.p WHERE id = 2000")
    assert mapped.batch().pending
    assert bench.rows("SELECT id, mail FROM new.c WHERE id >= 1998 ORDER BY id") == [(1998, "before"), (1999, "after")]
    assert bench.one("SELECT count(*) FROM new.c WHERE mail LIKE 'bulk%'") == 0, "it waits"
    mapped.drain()
    assert bench.one("SELECT count(*) FROM new.c WHERE mail LIKE 'bulk%'") == 1997
    mapped.assert_agrees()


def test_a_bulk_in_both_segments_of_a_log_is_not_taken_for_a_small_change(bench: Bench) -> None:
    """A transaction's rows are counted over both: the log may be turned while it writes."""
    bench.patch.setattr("lockgate.mapping.upkeep.ROTATE_BYTES", 1)
    in_small_batches(bench)
    mapped = people(bench, 1000)
    bulk = bench.connect()
    with bulk.transaction():
        bulk.execute("UPDATE old.p SET mail = 'bulk' || id WHERE id <= 990")
        assert _tidy(mapped, "old.p"), "rotated"
        bulk.execute("UPDATE old.p SET mail = 'bulk' || id WHERE id BETWEEN 991 AND 995")
    bench.sql("UPDATE old.p SET mail = 'small' WHERE id = 1000")
    mapped.batch()
    assert bench.rows("SELECT mail FROM new.c WHERE id = 1000") == [("small",)]
    assert bench.one("SELECT count(*) FROM new.c WHERE mail LIKE 'bulk%'") == 0
    mapped.drain()
    assert bench.one("SELECT count(*) FROM new.c WHERE mail LIKE 'bulk%'") == 995
    mapped.assert_agrees()


def test_many_small_changes_are_no_more_than_a_batch_takes(bench: Bench) -> None:
    """Of many small transactions the newest go first, and the others wait as before."""
    in_small_batches(bench)
    mapped = people(bench, 200)
    for number in range(1, 101):
        bench.sql(f"UPDATE old.p SET mail = 'own{number}' WHERE id = {number}")
    assert mapped.batch().pending
    taken = bench.rows("SELECT id FROM new.c WHERE mail LIKE 'own%' ORDER BY id")
    assert taken == [(number,) for number in range(89, 101)]
    mapped.drain()
    assert bench.one("SELECT count(*) FROM new.c WHERE mail LIKE 'own%'") == 100
    mapped.assert_agrees()


def test_a_backlog_shrinks_while_fresh_changes_come(bench: Bench) -> None:
    """Each batch takes in what is fresh, and a piece of what is old."""
    in_small_batches(bench)
    mapped = people(bench, 600)
    bench.sql("UPDATE old.p SET mail = 'bulk' || id")
    waiting = []
    for number in range(30):
        bench.sql(f"UPDATE old.p SET mail = 'fresh{number}' WHERE id = 600")
        mapped.batch()
        waiting.append(bench.one("SELECT coalesce(sum(until - next), 0) FROM lockgate.backlog"))
    assert waiting[0] > waiting[1] > waiting[-1] == 0
    mapped.drain()
    mapped.assert_agrees()


def test_an_emptied_log_held_nothing_that_a_reader_needs(bench: Bench) -> None:
    """A log is emptied by turns: only what every target that reads it has taken in, and no open transaction writes."""
    bench.patch.setattr("lockgate.mapping.upkeep.ROTATE_BYTES", 1)
    mapped = people(bench)
    bench.sql("CREATE TABLE new.d (id bigint PRIMARY KEY, mail text)")
    other = bench.map(**STEP | {"map": "others", "into": "new.d"})
    slow = bench.connect()
    with slow.transaction():
        slow.execute("UPDATE old.p SET mail = 'slow' WHERE id = 1")
        bench.sql("UPDATE old.p SET mail = 'fast' WHERE id = 2")
        mapped.drain()
        assert _tidy(mapped, "old.p"), "rotated"
        slow.execute("UPDATE old.p SET mail = 'slow' WHERE id = 3")
        assert not _tidy(mapped, "old.p"), "the other target has not read it, and a writer is at it"
        other.drain()
        assert not _tidy(mapped, "old.p"), "a writer is at it"
    assert not _tidy(mapped, "old.p"), "its change was not taken in"
    mapped.drain()
    assert not _tidy(mapped, "old.p"), "the other target has not read it"
    other.drain()
    assert _tidy(mapped, "old.p"), "emptied"
    for each in (mapped, other):
        each.drain()
        each.assert_agrees()
    assert bench.rows("SELECT mail FROM new.d WHERE id < 4 ORDER BY id") == [("slow",), ("fast",), ("slow",)]
    bench.sql("UPDATE old.p SET mail = 'after'")
    other.drain()
    other.assert_agrees()


def test_a_log_is_not_emptied_while_a_backlog_may_need_it(bench: Bench) -> None:
    """The backlog says where its rows are; they must stay."""
    bench.patch.setattr("lockgate.mapping.upkeep.ROTATE_BYTES", 1)
    in_small_batches(bench)
    mapped = people(bench, 1000)
    bench.sql("UPDATE old.p SET mail = 'bulk' || id")
    mapped.batch()
    assert _tidy(mapped, "old.p"), "rotated"
    assert not _tidy(mapped, "old.p"), "needed"
    mapped.drain()
    assert _tidy(mapped, "old.p"), "emptied"
    mapped.assert_agrees()


def test_a_log_that_grows_over_its_cap_is_switched_off_and_no_write_fails(bench: Bench) -> None:
    """The application's disk and writes come first: sync stops, is marked, and starts again with a comparison."""
    bench.patch.setattr(changelog, "_CAP_INTERVAL", 4)
    mapped = people(bench, cap=200_000)
    with bench.app.transaction():
        bench.sql("INSERT INTO old.p SELECT n, repeat('x', 100) FROM generate_series(10, 2000) AS n")
        bench.sql("UPDATE old.p SET mail = 'unlogged' WHERE id = 1")
    bench.sql("DELETE FROM old.p WHERE id = 2")
    log = mapped.log_of("old.p")
    size = bench.one(f"SELECT pg_total_relation_size('lockgate.log_{log}_a')")
    assert size < 400_000, "it does not grow any more"
    group = mapped.applier().group
    reason = upkeep.switched_off(bench.conn, group)
    assert reason is not None
    assert "reached" in reason
    (seen,) = status(bench.conn, PLAN)
    assert (seen.state, seen.reason is not None) == ("off", True)
    mapped.repair()
    mapped.drain()
    assert bench.rows("SELECT mail FROM new.c WHERE id < 3") == [("unlogged",)]
    mapped.assert_agrees()
    bench.sql("UPDATE old.p SET mail = 'logged again' WHERE id = 1")
    mapped.drain()
    assert bench.rows("SELECT mail FROM new.c WHERE id = 1") == [("logged again",)]


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_the_switch_fails_no_transaction_whatever_its_snapshot_shows(bench: Bench, level: str) -> None:
    """Two transactions reach the cap; one of them began before the ledger was last changed."""
    bench.patch.setattr(changelog, "_CAP_INTERVAL", 1)
    mapped = people(bench, cap=1)
    one, two = bench.connect(), bench.connect()
    log = mapped.log_of("old.p")
    for conn in (one, two):
        conn.execute(f"BEGIN ISOLATION LEVEL {level}".encode())
        conn.execute("SELECT count(*) FROM pg_class")
    bench.conn.execute("UPDATE lockgate.logs SET label = label WHERE id = %s", (log,))
    one.execute("INSERT INTO old.p VALUES (11, 'one')")
    two.execute("INSERT INTO old.p VALUES (12, 'two')")
    one.execute("COMMIT")
    two.execute("INSERT INTO old.p VALUES (13, 'two')")
    two.execute("COMMIT")
    bench.sql("INSERT INTO old.p VALUES (14, 'three')", "INSERT INTO old.p VALUES (15, 'three')")
    assert bench.one("SELECT count(*) FROM old.p WHERE id > 10") == 5
    assert upkeep.switched_off(bench.conn, mapped.load()) is not None


def test_the_switch_waits_for_nobody(bench: Bench) -> None:
    """Somebody holds the row of the log in the ledger: the write that reached the cap goes on all the same."""
    bench.patch.setattr(changelog, "_CAP_INTERVAL", 1)
    mapped = people(bench, cap=1)
    with bench.conn.transaction():
        bench.conn.execute("SELECT FROM lockgate.logs FOR UPDATE")
        bench.sql("SET lock_timeout = '100ms'", "UPDATE old.p SET mail = 'new' WHERE id = 1")
    assert upkeep.switched_off(bench.conn, mapped.load()) is None
    bench.sql("UPDATE old.p SET mail = 'newer' WHERE id = 1")
    assert upkeep.switched_off(bench.conn, mapped.load()) is not None


def test_the_age_of_what_waits_is_known(bench: Bench) -> None:
    """An alarm needs it: nobody applies, and the log grows."""
    mapped = people(bench)
    mapped.drain()
    (quiet,) = status(bench.conn, PLAN)
    assert (quiet.pending_rows, quiet.oldest_change_age_seconds) == (0, None)
    bench.sql("UPDATE old.p SET mail = 'new'")
    log = mapped.log_of("old.p")
    bench.conn.execute(f"UPDATE lockgate.log_{log}_a SET at = at - interval '1 hour'".encode())
    (waiting,) = status(bench.conn, PLAN)
    assert waiting.pending_rows == 9
    assert waiting.oldest_change_age_seconds is not None
    assert waiting.oldest_change_age_seconds > 3600


def _tidy(mapped: Mapped, relation: str) -> bool:
    conn = mapped.bench.conn
    conn.execute("SET statement_timeout = '20s'")  # whoever waits for the test itself would wait for ever
    return upkeep.tidy(conn, changelog.by_id(conn, mapped.log_of(relation)))


def test_nobody_writes_to_a_log_while_it_is_asked_whether_it_is_needed(bench: Bench) -> None:
    """What came between the answer and the emptying would be lost."""
    bench.patch.setattr("lockgate.mapping.upkeep.ROTATE_BYTES", 1)
    mapped = people(bench)
    bench.sql("UPDATE old.p SET mail = 'new'")
    mapped.drain()
    assert _tidy(mapped, "old.p"), "rotated"
    needed = upkeep._needed

    def ask(conn: Connection[Any], log: ChangeLog, segment: str) -> bool:
        answer = needed(conn, log, segment)
        bench.sql("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            bench.sql(f"INSERT INTO {log.table(segment)} (op) VALUES ('T')")
        return answer

    bench.patch.setattr(upkeep, "_needed", ask)
    assert _tidy(mapped, "old.p"), "emptied"


def test_tidying_never_waits_for_the_application(bench: Bench) -> None:
    """A lock on the log is had at once or not at all."""
    bench.patch.setattr("lockgate.mapping.upkeep.ROTATE_BYTES", 1)
    mapped = people(bench)
    bench.sql("UPDATE old.p SET mail = 'new'")
    mapped.drain()
    assert _tidy(mapped, "old.p")
    reader = bench.connect()
    log = mapped.log_of("old.p")
    with reader.transaction():
        reader.execute(f"SELECT count(*) FROM lockgate.log_{log}_a".encode())
        bench.conn.execute("SET lock_timeout = 0")
        assert not _tidy(mapped, "old.p")
    assert _tidy(mapped, "old.p")
    with pytest.raises(psycopg.errors.UndefinedTable):
        bench.conn.execute("SELECT FROM lockgate.log_0_a")
