"""One applier at a time, which loses every conflict with the application and marks its own writes."""

from __future__ import annotations

import psycopg
import pytest

from lockgate.errors import LeaseLost, MappingRefused
from lockgate.mapping.applier import Applier
from lockgate.mapping.manners import behave
from tests.integration.mapping.harness import Bench, Mapped, Step

STEP: Step = {
    "map": "people",
    "into": "new.c",
    "key": ["mail"],
    "from_": "old.p",
    "select": "SELECT s.mail, s.id FROM old.p s",
}


def people(bench: Bench) -> Mapped:
    """A live mapping of nine rows."""
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, mail text)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, id bigint NOT NULL)",
        "INSERT INTO old.p SELECT n, 'm' || n FROM generate_series(1, 9) AS n",
    )
    return bench.map(**STEP)


def test_two_appliers_never_work_at_once(bench: Bench) -> None:
    """The second one waits for the first, and then finds that its snapshot is too old: no key is resurrected."""
    mapped = people(bench)
    first = mapped.applier()
    second = Applier(bench.tool(), mapped.load(), first.epoch)
    second.run()

    def meanwhile() -> None:
        bench.sql("DELETE FROM old.p WHERE id = 1")
        second.conn.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            second.run()

    bench.sql("UPDATE old.p SET id = 101 WHERE id = 1", "UPDATE old.p SET id = 1 WHERE id = 101")
    bench.at("applier.candidates", meanwhile)
    first.run()
    second.run()
    assert bench.one("SELECT count(*) FROM new.c WHERE mail = 'm1'") == 0
    mapped.assert_agrees()


def test_an_applier_that_waited_for_its_turn_does_not_use_its_old_snapshot(bench: Bench) -> None:
    """It was taken before the other one's batch ended."""
    mapped = people(bench)
    bench.sql("UPDATE old.p SET id = 100 + id")
    first = mapped.applier()
    second = Applier(bench.tool(), mapped.load(), first.epoch)
    second.run()
    with bench.conn.transaction():
        bench.conn.execute("UPDATE lockgate.sync_targets SET batch = batch + 1")
        with bench.blocked(second.conn, second.run) as waiting:
            bench.conn.execute("COMMIT")
            with pytest.raises(psycopg.errors.SerializationFailure):
                waiting.result(timeout=10)
    second.run()
    mapped.assert_agrees()


def test_an_applier_whose_turn_is_over_changes_nothing(bench: Bench) -> None:
    """Another one has taken the target over; what the first one still believes does not count."""
    mapped = people(bench)
    old = mapped.applier()
    mapped.new_applier()
    bench.sql("UPDATE old.p SET mail = 'new' WHERE id = 1")
    with pytest.raises(LeaseLost):
        old.run()
    assert bench.one("SELECT mail FROM new.c WHERE id = 1") == "m1"


def test_another_mapping_into_the_target_ends_the_turn(bench: Bench) -> None:
    """The applier that was there does not know the new mapping, and would remove its rows."""
    mapped = people(bench)
    old = mapped.applier()
    bench.sql("CREATE TABLE old.q (id bigint PRIMARY KEY, mail text)", "INSERT INTO old.q VALUES (1, 'q')")
    second = "SELECT s.mail, s.id FROM old.q s"
    bench.map(**STEP | {"map": "second", "from_": "old.q", "select": second})
    bench.sql("UPDATE new.c SET id = 5 WHERE mail = 'q'")
    with pytest.raises(LeaseLost):
        old.run()
    mapped.drain()
    assert bench.one("SELECT id FROM new.c WHERE mail = 'q'") == 1


def test_in_a_deadlock_the_applier_loses_and_not_the_application(bench: Bench) -> None:
    """Each waits for a row that the other has; the applier's patience ends before the server looks."""
    mapped = people(bench)
    bench.sql("DELETE FROM old.p WHERE id = 1", "UPDATE old.p SET id = 22 WHERE id = 2")
    applier = mapped.applier()
    applier.conn.execute("SET deadlock_timeout = '1h'; SET lock_timeout = 0")
    app = bench.connect()
    app.execute("SET deadlock_timeout = '1s'")
    with app.transaction():
        app.execute("UPDATE new.c SET id = 0 WHERE mail = 'm2'")
        with bench.blocked(applier.conn, applier.run) as waiting:
            app.execute("UPDATE new.c SET id = 0 WHERE mail = 'm1'")  # the applier has deleted it
            with pytest.raises(psycopg.errors.LockNotAvailable):
                waiting.result(timeout=10)
    mapped.drain()
    mapped.assert_agrees()


def test_in_a_deadlock_the_chunk_loses_and_not_the_application(bench: Bench) -> None:
    """A chunk inserts in the order of the key; the application in another one."""
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, mail text)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, id bigint NOT NULL)",
        "INSERT INTO old.p SELECT n, 'm' || n FROM generate_series(1, 9) AS n",
    )
    mapped = bench.define(**STEP)
    chunk = bench.tool()
    chunk.execute("SET deadlock_timeout = '1h'; SET lock_timeout = 0")
    app = bench.connect()
    app.execute("SET deadlock_timeout = '1s'")
    with app.transaction():
        app.execute("INSERT INTO new.c VALUES ('m2', 0)")
        with bench.blocked(chunk, lambda: mapped.chunk(chunk)) as waiting:
            app.execute("INSERT INTO new.c VALUES ('m1', 0)")  # the chunk has inserted it
            with pytest.raises(psycopg.errors.LockNotAvailable):
                waiting.result(timeout=10)
    mapped.backfill()
    mapped.drain()
    mapped.assert_agrees()


@pytest.mark.parametrize(("deadlock", "patience"), [("1h", "700ms"), ("1s", "700ms"), ("100ms", "70ms")])
def test_the_tools_patience_ends_before_the_server_looks_for_deadlocks(
    bench: Bench, deadlock: str, patience: str
) -> None:
    """However soon it looks, it then finds none in which the application could be the one to be cancelled."""
    conn = bench.tool()
    conn.execute(f"SET deadlock_timeout = '{deadlock}'".encode())
    with conn.transaction():
        behave(conn, "1")
        assert conn.execute("SHOW lock_timeout").fetchone() == (patience,)


def test_the_tools_own_writes_are_marked_and_no_others(bench: Bench) -> None:
    """The log of the target holds the application's writes only, of a session that the tool has used, too."""
    mapped = people(bench)
    bench.sql("UPDATE old.p SET mail = 'new' WHERE id = 1")
    mapped.drain()
    writer = str(mapped.target_id)
    assert mapped.logged("new.c", writer) == ""
    mapped.applier().conn.execute("UPDATE new.c SET id = 5 WHERE mail = 'm2'")
    assert mapped.logged("new.c", writer) == "U", "an empty mark is left behind in the session"
    mapped.drain()
    assert bench.one("SELECT id FROM new.c WHERE mail = 'm2'") == 2


def test_a_mapping_that_reads_what_another_one_fills_sees_its_writes(bench: Bench) -> None:
    """Chained: the mark of the first one's writes hides them from its own log only."""
    mapped = people(bench)
    bench.sql("CREATE TABLE new.d (mail text PRIMARY KEY)")
    chained = bench.map(
        map="chained", into="new.d", key=["mail"], from_="new.c", select="SELECT upper(s.mail) AS mail FROM new.c s"
    )
    bench.sql("UPDATE old.p SET mail = 'new' WHERE id = 1", "DELETE FROM old.p WHERE id = 2")
    mapped.drain()
    chained.drain()
    held = {mail for (mail,) in bench.rows("SELECT mail FROM new.d")}
    assert "NEW" in held
    assert not {"M1", "M2"} & held
    chained.assert_agrees()
    bench.sql("DELETE FROM new.d WHERE mail = 'NEW'")
    chained.drain()
    chained.assert_agrees()


@pytest.mark.parametrize("select", ["SELECT s.mail, s.id FROM new.c s", "SELECT s.mail, s.id FROM old.p s, new.c c"])
def test_a_mapping_does_not_read_the_table_that_it_fills(bench: Bench, select: str) -> None:
    """It would chase its own writes for ever."""
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, mail text)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, id bigint NOT NULL)",
    )
    from_ = "new.c" if "old.p" not in select else "old.p"
    with pytest.raises(MappingRefused, match="cannot read the table that it fills"):
        bench.compile(**STEP | {"select": select, "from_": from_})
    bench.compile(**STEP | {"select": select, "from_": from_, "sync": "none"})


def test_a_circle_of_mappings_is_refused(bench: Bench) -> None:
    """The third one would fill what the first one reads."""
    people(bench)
    bench.sql("CREATE TABLE new.d (mail text PRIMARY KEY, id bigint)")
    bench.define(**STEP | {"map": "d", "into": "new.d", "from_": "new.c", "select": "SELECT s.mail, s.id FROM new.c s"})
    circle: Step = {"map": "p", "into": "old.p", "key": ["id"], "from_": "new.d"}
    with pytest.raises(MappingRefused, match="itself filled from"):
        bench.define(**circle, select="SELECT s.id, s.mail FROM new.d s")


def test_a_transform_beside_the_columns_that_mappings_read_closes_no_circle(bench: Bench) -> None:
    """What it writes is not logged; one that writes a column which they read is refused."""
    mapped = people(bench)
    bench.sql("ALTER TABLE old.p ADD customer bigint")
    step: Step = {"key": ["id"], "from_": "old.p", "table": "old.p"}
    joined = "FROM old.p s JOIN new.c c ON c.mail = s.mail"
    with pytest.raises(MappingRefused, match="itself filled from"):
        bench.define(**step | {"transform": "mails", "select": f"SELECT s.id, lower(c.mail) AS mail {joined}"})
    transformed = bench.map(**step | {"transform": "customers", "select": f"SELECT s.id, c.id AS customer {joined}"})
    bench.sql("INSERT INTO old.p (id, mail) VALUES (10, 'm10')", "UPDATE old.p SET mail = 'x' WHERE id = 1")
    mapped.drain()
    transformed.drain()
    transformed.assert_agrees()
    assert bench.one("SELECT count(*) FROM old.p WHERE customer = id") == 10


def test_two_that_decide_one_column_are_refused(bench: Bench) -> None:
    """A map and a transform, two transforms, or the maps of two plans would undo each other's writes for ever."""
    bench.sql(
        "CREATE TABLE old.p (id int PRIMARY KEY, a text, b text)",
        "CREATE TABLE new.c (id int PRIMARY KEY, a text, b text, c text)",
    )
    fill: Step = {"map": "fill", "into": "new.c", "key": ["id"], "from_": "old.p"}
    change: Step = {"table": "new.c", "key": ["id"], "from_": "new.c"}
    bench.map(**fill, select="SELECT p.id, p.a FROM old.p p")
    with pytest.raises(MappingRefused, match=r"upper and fill of plan shop both decide column a of new\.c"):
        bench.define(**change, transform="upper", select="SELECT c.id, upper(c.a) AS a FROM new.c c")
    bench.map(**change, transform="longer", select="SELECT c.id, c.a || '!' AS b FROM new.c c")
    with pytest.raises(MappingRefused, match="both decide column b"):
        bench.define(**change, transform="again", select="SELECT c.id, c.c AS b FROM new.c c")
    with pytest.raises(MappingRefused, match="of plan shop both decide the rows"):
        bench.define(**fill, select="SELECT p.id, p.b AS c FROM old.p p", plan="another")
    assert bench.rows("SELECT DISTINCT plan FROM lockgate.sync_targets") == [("shop",)]


def test_mappings_into_one_table_agree_on_sync(bench: Bench) -> None:
    """Sync of one of them would remove what the other one filled."""
    people(bench)
    bench.sql("CREATE TABLE old.q (id bigint PRIMARY KEY, mail text)")
    second = STEP | {"map": "q", "from_": "old.q", "select": "SELECT s.mail, s.id FROM old.q s", "sync": "none"}
    with pytest.raises(MappingRefused, match="only one of them with sync"):
        bench.define(**second)
