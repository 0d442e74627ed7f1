"""What no row trigger sees: it is noticed all the same, and answered by comparing everything."""

from __future__ import annotations

import pytest

from lockgate.errors import PlanError
from lockgate.mapping import changelog, upkeep
from tests.integration.mapping.harness import Bench, Mapped, Step

STEP: Step = {
    "map": "people",
    "into": "new.c",
    "key": ["mail"],
    "from_": "old.p",
    "select": "SELECT s.mail, s.id FROM old.p s",
}


def plain(bench: Bench) -> Mapped:
    """A live mapping over a plain table of nine rows."""
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, mail text)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, id bigint NOT NULL)",
        "INSERT INTO old.p SELECT n, 'm' || n FROM generate_series(1, 9) AS n",
    )
    return bench.map(**STEP)


def partitioned(bench: Bench) -> Mapped:
    """A live mapping over a table of two partitions, and a third table of the same shape that is none yet."""
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, mail text) PARTITION BY RANGE (id)",
        "CREATE TABLE old.p1 PARTITION OF old.p FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE old.p2 PARTITION OF old.p FOR VALUES FROM (10) TO (20)",
        "CREATE TABLE old.p3 (note text, mail text, id bigint PRIMARY KEY)",
        "ALTER TABLE old.p3 DROP COLUMN note",
        "INSERT INTO old.p3 VALUES ('three', 25)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, id bigint NOT NULL)",
        "INSERT INTO old.p VALUES (1, 'one'), (11, 'two')",
    )
    return bench.map(**STEP)


def only_markers_tell(bench: Bench) -> None:
    """Let the comparison of files, which would notice a TRUNCATE as well, see nothing."""
    bench.patch.setattr("lockgate.mapping.applier.fingerprint", lambda conn, group: ("a", "b"))


def mails(bench: Bench) -> list[str]:
    """What the target holds."""
    return [mail for (mail,) in bench.rows("SELECT mail FROM new.c ORDER BY id, mail")]


def test_truncate_of_a_source_is_followed(bench: Bench) -> None:
    """No row trigger fires: a marker in the log asks for the comparison."""
    only_markers_tell(bench)
    mapped = plain(bench)
    bench.sql("TRUNCATE old.p", "INSERT INTO old.p VALUES (1, 'again')")
    mapped.drain()
    assert mails(bench) == ["again"]
    mapped.assert_agrees()


def test_truncate_of_one_partition_is_followed(bench: Bench) -> None:
    """Its statement trigger stands on each leaf, for the parent's does not fire."""
    only_markers_tell(bench)
    mapped = partitioned(bench)
    bench.sql("TRUNCATE old.p2")
    mapped.drain()
    assert mails(bench) == ["one"]
    mapped.assert_agrees()


def test_truncate_of_the_target_is_put_right(bench: Bench) -> None:
    """The application emptied the new table: what the old model yields comes back."""
    mapped = plain(bench)
    bench.sql("TRUNCATE new.c")
    mapped.drain()
    assert len(mails(bench)) == 9
    mapped.assert_agrees()


def test_truncate_behind_more_changes_than_a_batch_takes_is_followed(bench: Bench) -> None:
    """The marker is the last of many logged rows."""
    bench.patch.setattr("lockgate.mapping.intake.BATCH", 20)
    only_markers_tell(bench)
    mapped = plain(bench)
    with bench.app.transaction():
        bench.sql("INSERT INTO old.p SELECT n, 'm' || n FROM generate_series(10, 99) AS n", "TRUNCATE old.p")
    mapped.drain()
    assert mails(bench) == []
    mapped.assert_agrees()


def test_the_comparison_is_asked_for_until_it_is_made(bench: Bench) -> None:
    """While chunks are open it waits, for many batches, and maybe for another applier."""
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, mail text)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, id bigint NOT NULL)",
        "INSERT INTO old.p SELECT n, 'm' || n FROM generate_series(1, 9) AS n",
    )
    mapped = bench.define(**STEP)
    assert not mapped.batch().repair
    mapped.chunk()
    bench.sql("TRUNCATE old.p")
    assert [mapped.batch().repair for _ in range(3)] == [True, True, True]
    assert mapped.new_applier().run().repair
    mapped.backfill()
    mapped.drain()
    assert not mapped.batch().repair
    assert mails(bench) == []


def test_a_partition_attached_with_rows_is_read(bench: Bench) -> None:
    """Its rows were never inserted into the table that the mapping reads."""
    mapped = partitioned(bench)
    bench.sql("ALTER TABLE old.p ATTACH PARTITION old.p3 FOR VALUES FROM (20) TO (30)")
    mapped.drain()
    assert mails(bench) == ["one", "two", "three"]
    bench.sql("UPDATE old.p3 SET mail = 'logged' WHERE id = 25", "TRUNCATE old.p1")
    mapped.drain()
    assert mails(bench) == ["two", "logged"]
    bench.sql("TRUNCATE old.p3")
    mapped.drain()
    assert mails(bench) == ["two"]
    mapped.assert_agrees()


def test_a_partition_detached_with_rows_is_taken_out(bench: Bench) -> None:
    """Its rows were never deleted from the table that the mapping reads."""
    mapped = partitioned(bench)
    bench.sql("ALTER TABLE old.p DETACH PARTITION old.p2")
    mapped.drain()
    assert mails(bench) == ["one"]
    mapped.assert_agrees()


def test_a_partition_detached_loaded_and_attached_again_at_once_is_read(bench: Bench) -> None:
    """Before and after, the same partitions with the same files and triggers are there."""
    mapped = partitioned(bench)
    with bench.app.transaction():
        bench.sql(
            "ALTER TABLE old.p DETACH PARTITION old.p2",
            "INSERT INTO old.p2 VALUES (12, 'loaded')",
            "ALTER TABLE old.p ATTACH PARTITION old.p2 FOR VALUES FROM (10) TO (20)",
        )
    mapped.drain()
    assert mails(bench) == ["one", "two", "loaded"]
    mapped.assert_agrees()


def test_a_new_partition_is_logged(bench: Bench) -> None:
    """Rows that come to a partition which was made later."""
    mapped = partitioned(bench)
    bench.sql(
        "CREATE TABLE old.p4 PARTITION OF old.p FOR VALUES FROM (30) TO (40)",
        "INSERT INTO old.p VALUES (31, 'four')",
    )
    mapped.drain()
    with bench.app.transaction():
        bench.sql("SET LOCAL session_replication_role = replica", "INSERT INTO old.p VALUES (32, 'replicated')")
    mapped.drain()
    bench.sql("DELETE FROM old.p4 WHERE id = 31")
    mapped.drain()
    assert mails(bench) == ["one", "two", "replicated"]
    mapped.assert_agrees()


def test_a_partition_of_a_partition_is_logged(bench: Bench) -> None:
    """Leaves at any depth have the triggers, those made later too."""
    mapped = partitioned(bench)
    bench.sql(
        "CREATE TABLE old.p5 PARTITION OF old.p FOR VALUES FROM (40) TO (60) PARTITION BY RANGE (id)",
        "CREATE TABLE old.p51 PARTITION OF old.p5 FOR VALUES FROM (40) TO (50)",
        "INSERT INTO old.p VALUES (41, 'five')",
    )
    mapped.drain()
    bench.sql("UPDATE old.p51 SET mail = 'deep' WHERE id = 41")
    mapped.drain()
    assert mails(bench) == ["one", "two", "deep"]
    bench.sql("TRUNCATE old.p5")
    mapped.drain()
    assert mails(bench) == ["one", "two"]


def test_a_row_that_moves_between_partitions_is_followed(bench: Bench) -> None:
    """The update becomes a delete here and an insert there."""
    mapped = partitioned(bench)
    bench.sql("UPDATE old.p SET id = 15, mail = 'moved' WHERE id = 1")
    mapped.drain()
    assert bench.rows("SELECT mail, id FROM new.c ORDER BY id") == [("two", 11), ("moved", 15)]
    mapped.assert_agrees()


@pytest.mark.parametrize("way", ["DISABLE", "ENABLE"])
def test_what_was_written_while_a_trigger_was_disabled_is_found(bench: Bench, way: str) -> None:
    """The trigger is put back, too; one that is merely enabled is blind to replicated rows."""
    mapped = plain(bench)
    bench.sql(f"ALTER TABLE old.p {way} TRIGGER ALL", "SET session_replication_role = replica")
    bench.sql("INSERT INTO old.p VALUES (10, 'unseen')", "UPDATE old.p SET mail = 'changed' WHERE id = 1")
    mapped.drain()
    assert {"unseen", "changed"} <= set(mails(bench))
    bench.sql("INSERT INTO old.p VALUES (11, 'seen')")
    mapped.drain()
    assert "seen" in mails(bench)
    mapped.assert_agrees()


def second(bench: Bench, **more: int) -> Mapped:
    """Another target that reads the same log."""
    bench.sql("CREATE TABLE new.d (mail text PRIMARY KEY, id bigint NOT NULL)")
    return bench.map(**STEP | {"map": "others", "into": "new.d"} | more)


def test_what_one_target_finds_out_is_told_to_all_that_read_the_log(bench: Bench) -> None:
    """The first one puts the triggers back, so that the second has nothing to notice any more."""
    mapped = plain(bench)
    other = second(bench)
    with bench.app.transaction():
        bench.sql("ALTER TABLE old.p DISABLE TRIGGER ALL", "INSERT INTO old.p VALUES (10, 'unseen')")
    mapped.drain()
    other.drain()
    assert bench.one("SELECT count(*) FROM new.d WHERE mail = 'unseen'") == 1
    for each in (mapped, other):
        each.assert_agrees()


def test_a_log_that_was_switched_off_is_missed_by_all_that_read_it(bench: Bench) -> None:
    """Whoever switches it on again may not be the only one."""
    bench.patch.setattr(changelog, "_CAP_INTERVAL", 1)
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, mail text)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, id bigint NOT NULL)",
    )
    mapped = bench.map(**STEP, cap=1)
    other = second(bench, cap=1)
    bench.sql("INSERT INTO old.p VALUES (1, 'logged')", "INSERT INTO old.p VALUES (2, 'unlogged')")
    assert upkeep.switched_off(bench.conn, other.load()) is not None
    mapped.repair()
    assert upkeep.switched_off(bench.conn, other.load()) is None
    other.drain()
    assert bench.one("SELECT count(*) FROM new.d") == 2
    other.assert_agrees()


WAYS = {
    "its triggers disabled": ("ALTER TABLE new.c DISABLE TRIGGER ALL", "ALTER TABLE new.c ENABLE TRIGGER ALL"),
    "its triggers left disabled": ("ALTER TABLE new.c DISABLE TRIGGER ALL", "SELECT"),
}


@pytest.mark.parametrize("way", WAYS)
def test_rows_that_the_application_may_have_written_unseen_are_kept(bench: Bench, way: str) -> None:
    """A comparison may not take for stale what only the new model has; what is missing there comes back."""
    mapped = plain(bench)
    before, after = WAYS[way]
    bench.sql(before, "INSERT INTO new.c VALUES ('own', 100)", "DELETE FROM new.c WHERE mail = 'm1'", after)
    bench.sql("TRUNCATE old.p", "INSERT INTO old.p VALUES (1, 'm1')")
    mapped.drain()
    assert {"own", "m1"} <= set(mails(bench))
    bench.sql("INSERT INTO new.c VALUES ('seen', 101)")
    mapped.drain()
    assert mapped.compare().agrees
    assert {"own", "seen"} <= {mail for (mail,) in bench.rows(f"SELECT mail FROM lockgate.born_{mapped.target_id}")}


def test_a_partition_that_the_application_attaches_to_the_target_keeps_its_rows(bench: Bench) -> None:
    """Its rows were never inserted there, and no mapping yields them."""
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, mail text)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, id bigint NOT NULL) PARTITION BY RANGE (mail)",
        "CREATE TABLE new.c1 PARTITION OF new.c FOR VALUES FROM ('a') TO ('n')",
        "CREATE TABLE new.c2 (LIKE new.c INCLUDING ALL)",
        "INSERT INTO new.c2 VALUES ('own', 100)",
        "INSERT INTO old.p VALUES (1, 'm1')",
    )
    mapped = bench.map(**STEP)
    bench.sql("ALTER TABLE new.c ATTACH PARTITION new.c2 FOR VALUES FROM ('n') TO ('z')", "TRUNCATE old.p")
    mapped.drain()
    assert "own" in mails(bench)


def test_the_logs_of_a_target_being_filled_stay_wide_while_another_one_is_done(bench: Bench) -> None:
    """A row may still move from a block to be read to one that is done."""
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, mail text, note text)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, id bigint NOT NULL)",
        "CREATE TABLE new.d (mail text PRIMARY KEY, id bigint NOT NULL)",
        "INSERT INTO old.p SELECT n, 'm' || n FROM generate_series(1, 9) AS n",
    )
    slow = bench.define(**STEP)
    bench.map(**STEP | {"map": "others", "into": "new.d"}, plan="another")
    bench.sql("UPDATE old.p SET note = 'moved' WHERE id = 1")
    assert slow.logged("old.p") == "U"
    slow.backfill()
    bench.sql("UPDATE old.p SET note = 'again' WHERE id = 1")
    assert slow.logged("old.p") == "U", "nobody reads it by blocks any more"


def test_a_source_that_was_dropped_is_said(bench: Bench) -> None:
    """Not by a traceback."""
    mapped = plain(bench)
    bench.sql("DROP TABLE old.p CASCADE")
    with pytest.raises(PlanError, match="was dropped"):
        mapped.drain()


def test_a_table_rewritten_behind_the_logs_is_compared(bench: Bench) -> None:
    """A rewrite (here with other contents, as a restore does it) leaves the triggers as they are."""
    mapped = plain(bench)
    log = mapped.log_of("old.p")
    bench.sql("SET session_replication_role = replica", f"ALTER TABLE old.p DISABLE TRIGGER lockgate_log_{log}_update")
    bench.sql("UPDATE old.p SET mail = 'restored' WHERE id = 1", "SET session_replication_role = origin")
    bench.sql(f"ALTER TABLE old.p ENABLE ALWAYS TRIGGER lockgate_log_{log}_update", "VACUUM FULL old.p")
    mapped.drain()
    assert "restored" in mails(bench)
    mapped.assert_agrees()
