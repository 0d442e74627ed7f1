"""What the application does in the new model while the old one still decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection

from lockgate.catalog.relations import Relation
from lockgate.errors import MappingRefused
from lockgate.mapping import blocks, group, install, removal, stakes
from tests.integration.mapping.harness import PLAN, Bench, Mapped, Step

STEP: Step = {
    "map": "people",
    "into": "new.c",
    "key": ["mail"],
    "from_": "old.p",
    "select": "SELECT s.mail, s.id FROM old.p s",
}
TABLES = """
CREATE TABLE old.p (id bigint PRIMARY KEY, mail text);
CREATE TABLE new.c (mail text PRIMARY KEY, id bigint, own text);
INSERT INTO old.p SELECT n, 'm' || n FROM generate_series(1, 3) AS n
"""


def people(bench: Bench) -> Mapped:
    """A live mapping of three rows, into a table with a column of the application's own."""
    bench.sql(TABLES)
    return bench.map(**STEP)


def held(bench: Bench) -> list[tuple[str, int | None]]:
    """What the target holds."""
    return [(mail, number) for mail, number in bench.rows("SELECT mail, id FROM new.c ORDER BY mail")]


def test_a_row_of_the_new_model_only_is_born_there(bench: Bench) -> None:
    """No source yields it, and nothing removes it."""
    mapped = people(bench)
    bench.sql("INSERT INTO new.c VALUES ('own', 100)")
    mapped.drain()
    bench.sql("UPDATE new.c SET id = 101 WHERE mail = 'own'")
    mapped.drain()
    assert held(bench)[-1] == ("own", 101)
    mapped.assert_agrees()
    assert mapped.compare().born == 1
    accounts = mapped.account()
    assert (accounts.born, accounts.adds_up) == (1, True)


def test_a_born_row_survives_a_comparison_of_everything(bench: Bench) -> None:
    """A repair takes away what nobody explains; this row is explained."""
    mapped = people(bench)
    bench.sql("INSERT INTO new.c VALUES ('own', 100)")
    mapped.drain()
    bench.sql("TRUNCATE old.p")
    mapped.drain()
    assert held(bench) == [("own", 100)]


def test_rows_that_were_there_before_the_mapping_are_kept(bench: Bench) -> None:
    """The mapping did not make them, so that it may not remove them; what it yields, it decides."""
    bench.sql(TABLES, "INSERT INTO new.c VALUES ('before', 100), ('m1', 101)")
    mapped = bench.map(**STEP)
    assert held(bench) == [("before", 100), ("m1", 1), ("m2", 2), ("m3", 3)]
    mapped.assert_agrees()
    assert mapped.account().born == 1
    bench.sql("TRUNCATE old.p")
    mapped.drain()
    assert held(bench) == [("before", 100)]


def test_what_was_made_before_the_last_log_stands_is_not_born(bench: Bench) -> None:
    """An applier works as soon as one log is there: that of the target must be the first."""
    bench.sql(TABLES)
    compiled = bench.compile(**STEP)
    with bench.conn.transaction():
        target_id = install.register(bench.conn, PLAN, compiled)
    mapped = Mapped(bench, target_id, 0, compiled.name)

    def locked(relation: Relation, work: Callable[[Connection[Any]], None]) -> None:
        with bench.conn.transaction():
            work(bench.conn)
        bench.sql("INSERT INTO old.p SELECT max(id) + 1, 'm' || max(id) + 1 FROM old.p")
        mapped.batch()

    def unlocked(work: Callable[[Connection[Any]], None]) -> None:
        with bench.conn.transaction():
            work(bench.conn)

    install.prepare(compiled, target_id, 1 << 30, locked, unlocked)
    assert held(bench) == [("m5", 5)]
    bench.sql("DELETE FROM old.p")
    mapped.drain()
    assert held(bench) == []


def test_a_second_mapping_takes_no_row_of_the_first_for_born(bench: Bench) -> None:
    """They were there before it, but the first one made them."""
    mapped = people(bench)
    bench.sql("CREATE TABLE old.q (id bigint PRIMARY KEY, mail text)")
    bench.map(**STEP | {"map": "q", "from_": "old.q", "select": "SELECT s.mail, s.id FROM old.q s"})
    assert mapped.born() == 0
    bench.sql("DELETE FROM old.p")
    mapped.drain()
    assert held(bench) == []


def test_what_both_models_write_is_decided_by_the_old_one(bench: Bench) -> None:
    """Update, delete, insert and change of key in the new model, of what the old one yields."""
    mapped = people(bench)
    bench.sql(
        "UPDATE new.c SET id = 100, own = 'mine' WHERE mail = 'm1'",
        "DELETE FROM new.c WHERE mail = 'm2'",
        "UPDATE new.c SET mail = 'moved' WHERE mail = 'm3'",
        "INSERT INTO old.p VALUES (4, 'm4')",
        "INSERT INTO new.c VALUES ('m4', 200)",
    )
    mapped.drain()
    assert held(bench) == [("m1", 1), ("m2", 2), ("m3", 3), ("m4", 4), ("moved", 3)]
    assert bench.one("SELECT own FROM new.c WHERE mail = 'm1'") == "mine", "a column that no mapping decides"
    assert mapped.born() == 1, "the row that was moved to a key of its own"
    mapped.assert_agrees()


def test_a_born_row_that_the_old_model_comes_to_yield_belongs_to_it(bench: Bench) -> None:
    """And goes when the old model yields it no more."""
    mapped = people(bench)
    bench.sql("INSERT INTO new.c VALUES ('own', 100)")
    mapped.drain()
    bench.sql("INSERT INTO old.p VALUES (4, 'own')")
    mapped.drain()
    assert ("own", 4) in held(bench)
    assert mapped.born() == 0
    bench.sql("DELETE FROM old.p WHERE id = 4")
    mapped.drain()
    assert "own" not in {mail for mail, _ in held(bench)}
    mapped.assert_agrees()


def test_a_born_row_that_the_application_deletes_is_forgotten(bench: Bench) -> None:
    """Made and removed in one batch, or in two; a key that comes back is born again."""
    mapped = people(bench)
    bench.sql("INSERT INTO new.c VALUES ('a', 1), ('b', 2)", "DELETE FROM new.c WHERE mail = 'a'")
    mapped.drain()
    assert mapped.born() == 1
    bench.sql("DELETE FROM new.c WHERE mail = 'b'", "INSERT INTO new.c VALUES ('b', 3)")
    mapped.drain()
    assert ("b", 3) in held(bench)
    bench.sql("UPDATE new.c SET mail = 'c' WHERE mail = 'b'")
    mapped.drain()
    bench.sql("DELETE FROM new.c WHERE mail = 'c'")
    mapped.drain()
    assert mapped.born() == 0
    mapped.assert_agrees()


def test_a_row_written_to_the_target_before_its_chunk_comes_is_decided_by_the_old_model(bench: Bench) -> None:
    """And one that is born while chunks are open stays."""
    bench.sql(TABLES)
    mapped = bench.define(**STEP)
    bench.sql("INSERT INTO new.c VALUES ('m1', 100), ('own', 101)")
    mapped.drain()
    assert held(bench) == [("m1", 1), ("own", 101)]
    mapped.backfill()
    mapped.drain()
    assert held(bench) == [("m1", 1), ("m2", 2), ("m3", 3), ("own", 101)]
    mapped.assert_agrees()


def test_what_both_models_write_differently_is_listed(bench: Bench) -> None:
    """An update, a removal and a new row of the new model, each of a key that the old one says otherwise."""
    mapped = people(bench)
    assert mapped.compare().conflicts == 0
    bench.sql(
        "UPDATE new.c SET id = 9 WHERE mail = 'm1'",
        "DELETE FROM new.c WHERE mail = 'm2'",
        "INSERT INTO new.c VALUES ('early', 7)",
        "UPDATE new.c SET id = 3 WHERE mail = 'm3'",
    )
    mapped.drain()
    bench.sql("INSERT INTO old.p VALUES (4, 'early')")
    mapped.drain()
    assert held(bench) == [("early", 4), ("m1", 1), ("m2", 2), ("m3", 3)]
    listed = "SELECT key ->> 'mail', times FROM lockgate.conflicts ORDER BY 1"
    assert bench.rows(listed) == [("early", 1), ("m1", 1), ("m2", 1)]
    bench.sql("UPDATE new.c SET id = 10 WHERE mail = 'm1'")
    mapped.drain()
    assert bench.rows(listed) == [("early", 1), ("m1", 2), ("m2", 1)]
    assert mapped.compare().conflicts == 3


def test_an_application_that_writes_both_models_alike_is_no_conflict(bench: Bench) -> None:
    """In one transaction, or first here and then there."""
    mapped = people(bench)
    bench.sql("BEGIN; UPDATE old.p SET mail = 'x' WHERE id = 1; UPDATE new.c SET mail = 'x' WHERE id = 1; COMMIT")
    bench.sql("INSERT INTO new.c VALUES ('y', 5)")
    mapped.drain()
    bench.sql("INSERT INTO old.p VALUES (5, 'y')")
    mapped.drain()
    assert held(bench) == [("m2", 2), ("m3", 3), ("x", 1), ("y", 5)]
    assert bench.one("SELECT count(*) FROM lockgate.conflicts") == 0


def test_a_key_that_another_mapping_yields_is_not_stale(bench: Bench) -> None:
    """One mapping yields it no more, another one does."""
    mapped = people(bench)
    bench.sql("CREATE TABLE old.q (id bigint PRIMARY KEY, mail text)", "INSERT INTO old.q VALUES (50, 'm1')")
    bench.map(**STEP | {"map": "q", "from_": "old.q", "select": "SELECT s.mail, s.id FROM old.q s"})
    bench.sql("DELETE FROM old.p WHERE id = 1")
    mapped.drain()
    assert held(bench)[0] == ("m1", 50)
    mapped.assert_agrees()


def test_a_trigger_of_the_target_is_acknowledged_or_refused(bench: Bench) -> None:
    """It would send mail for every row that is copied."""
    bench.sql(
        TABLES,
        "CREATE FUNCTION public.send() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TRIGGER send AFTER INSERT ON new.c FOR EACH ROW EXECUTE FUNCTION public.send()",
    )
    with pytest.raises(MappingRefused, match='trigger "send"') as error:
        bench.compile(**STEP)
    assert (error.value.where, "acknowledge_triggers: [send]" in str(error.value.hint)) == ("into", True)
    bench.compile(**STEP, acknowledge_triggers=["send"])
    bench.sql("ALTER TABLE new.c DISABLE TRIGGER send")
    bench.compile(**STEP)


REFUSING = (
    "",
    "ON DELETE RESTRICT ON UPDATE CASCADE",
    "ON DELETE SET DEFAULT ON UPDATE CASCADE",
    "ON DELETE CASCADE",
    "ON DELETE CASCADE ON UPDATE RESTRICT",
)
YIELDING = ("ON DELETE CASCADE ON UPDATE CASCADE", "ON DELETE SET NULL ON UPDATE SET NULL")


def test_a_foreign_key_that_sets_null_what_may_not_be_null_is_refused(bench: Bench) -> None:
    """It yields to nobody."""
    bench.sql(TABLES, f"ALTER TABLE new.c ALTER id SET NOT NULL, ADD FOREIGN KEY (id) REFERENCES old.p {YIELDING[1]}")
    with pytest.raises(MappingRefused, match="foreign key"):
        bench.define(**STEP)


@pytest.mark.parametrize("action", REFUSING + YIELDING)
def test_a_foreign_key_that_would_fail_the_applications_writes_is_refused(bench: Bench, action: str) -> None:
    """The application removes or renumbers a row of the old model before the applier has seen it."""
    bench.sql(TABLES, f"ALTER TABLE new.c ADD FOREIGN KEY (id) REFERENCES old.p {action}")
    if action in REFUSING:
        with pytest.raises(MappingRefused, match="foreign key") as error:
            bench.define(**STEP)
        assert "ON DELETE CASCADE" in str(error.value.hint)
        return
    mapped = bench.map(**STEP)
    bench.sql("DELETE FROM old.p WHERE id = 1")
    mapped.drain()
    assert held(bench) == [("m2", 2), ("m3", 3)]
    mapped.assert_agrees()


def test_a_foreign_key_to_a_table_that_another_mapping_fills_is_no_danger(bench: Bench) -> None:
    """Nobody but the tool writes there: parents come first, and children go first, sooner or later."""
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, mail text); INSERT INTO old.p VALUES (1, 'm1'), (2, 'm2')",
        "CREATE TABLE new.p (id bigint PRIMARY KEY)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, id bigint REFERENCES new.p)",
    )
    parents = bench.map(map="p", into="new.p", key=["id"], from_="old.p", select="SELECT s.id FROM old.p s")
    select = "SELECT s.mail, p.id FROM old.p s JOIN new.p p ON p.id = s.id"
    children = bench.map(**STEP | {"select": select})
    bench.sql("DELETE FROM old.p WHERE id = 1", "INSERT INTO old.p VALUES (3, 'm3')")
    for _ in range(2):
        for each in (parents, children):
            each.make_retry_due()
            each.drain()
    assert held(bench) == [("m2", 2), ("m3", 3)]
    for each in (parents, children):
        each.assert_agrees()


def prepare(bench: Bench, before_copy: Callable[[], object] = lambda: None) -> int:
    """Prepare the target of ``STEP``.

    :param before_copy: what the application does when the target's log is there, and its rows are not yet known.
    """
    compiled = bench.compile(**STEP)
    with bench.conn.transaction():
        target_id = install.register(bench.conn, PLAN, compiled)

    def locked(_relation: Relation, work: install.Work) -> None:
        with bench.conn.transaction():
            work(bench.conn)

    def unlocked(work: install.Work) -> None:
        before_copy()
        with bench.conn.transaction():
            work(bench.conn)
            held = bench.rows(
                "SELECT mode FROM pg_locks WHERE relation = 'new.c'::regclass AND mode LIKE '%Exclusive%' "
                f"AND pid = {bench.conn.info.backend_pid}"
            )
            assert not held, "the application may write while its rows are looked through"

    install.prepare(compiled, target_id, 1 << 30, locked, unlocked)
    return target_id


def test_the_rows_of_before_are_looked_through_without_a_lock(bench: Bench) -> None:
    """What is written meanwhile is told by the log, and no applier writes before."""
    bench.sql(TABLES, "INSERT INTO new.c VALUES ('one', 1), ('two', 2), ('three', 3)")

    def write() -> None:
        assert bench.one("SELECT state FROM lockgate.sync_targets") == "unsynced", "nobody applies"
        bench.sql(
            "INSERT INTO new.c VALUES ('four', 4)",
            "DELETE FROM new.c WHERE mail = 'one'",
            "UPDATE new.c SET mail = 'zwei' WHERE mail = 'two'",
        )

    target_id = prepare(bench, write)
    bench.sql("DELETE FROM new.c WHERE mail = 'three'")
    assert bench.one("SELECT state FROM lockgate.sync_targets") == "backfill"
    mapped = bench.define(**STEP)
    assert mapped.target_id == target_id
    mapped.backfill()
    mapped.drain()
    assert bench.rows(f"SELECT mail FROM lockgate.born_{target_id} ORDER BY mail") == [("four",), ("zwei",)]
    assert [mail for mail, _ in held(bench)] == ["four", "m1", "m2", "m3", "zwei"]


def test_the_rows_of_before_are_looked_through_once(bench: Bench) -> None:
    """When a killed step begins again, the table holds rows that were made here."""
    bench.sql(TABLES, "INSERT INTO new.c VALUES ('own', 1)")
    target_id = prepare(bench)
    mapped = bench.define(**STEP)
    mapped.chunk()
    assert prepare(bench) == target_id
    assert mapped.born() == 1


def test_without_them_being_known_nothing_is_removed(bench: Bench) -> None:
    """A kill came before: all that the table holds is the application's."""
    bench.sql(TABLES, "INSERT INTO new.c VALUES ('m1', 1), ('own', 1)")
    with bench.conn.transaction():
        target_id = install.register(bench.conn, PLAN, bench.compile(**STEP))
    loaded = group.load(bench.conn, target_id)
    assert stakes.weigh(bench.conn, loaded, ["people"], dropped=True).born == 2
    with bench.conn.transaction():
        removal.take_back(bench.conn, loaded, 0, born_too=True)
    assert [mail for mail, _ in held(bench)] == ["m1", "own"]


def test_what_the_application_writes_while_rows_are_taken_back_stays(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether there is a log that tells of it or not; block by block."""
    monkeypatch.setattr(blocks, "_BLOCKS", 1)
    for sync in ("deferred", "none"):
        bench.sql("DROP TABLE IF EXISTS old.p, new.c", TABLES, "ALTER TABLE new.c ALTER own SET STORAGE PLAIN")
        bench.sql("INSERT INTO new.c VALUES ('m2', 7, 'mine')")
        mapped = bench.map(**STEP | {"map": sync, "sync": sync, "into": "new.c"}, plan=sync)
        bench.sql("UPDATE new.c SET own = repeat('x', 5000) WHERE mail <> 'm2'")
        loaded = mapped.load()
        with bench.conn.transaction():
            removal.stop_applying(bench.conn, loaded.target_id)
        stakes.find_own(bench.conn, loaded)
        bench.sql("INSERT INTO new.c VALUES ('own', 8)")
        block: int | None = 0
        turns = 0
        while block is not None:
            turns += 1
            with bench.conn.transaction():
                block = removal.take_back(bench.conn, loaded, block, born_too=False)
        assert turns > 1
        assert held(bench) == [("m2", 7), ("own", 8)]
