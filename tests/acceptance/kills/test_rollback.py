"""Killed while phases are taken back: rollback again finishes, and apply after that begins anew."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.acceptance.kills.chains import kill_at_each
from tests.acceptance.kills.shop import Factory, Shop
from tests.acceptance.kills.writer import Writer, read_tables
from tests.waiting import wait_until

ALL = ("--to", "@start", "--lose-rows", "--yes")
_OLD = (
    "SELECT format('%s.%s %s', attrelid::regclass, attname, atttypid::regtype) FROM pg_attribute "
    "WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'old'::regnamespace) "
    "AND attnum > 0 AND NOT attisdropped UNION ALL "
    "SELECT format('%s on %s', tgname, tgrelid::regclass) FROM pg_trigger "
    "WHERE NOT tgisinternal AND tgrelid::regclass::text !~ '^lockgate' ORDER BY 1"
)


@pytest.fixture
def migrated(factory: Factory) -> Any:
    """A shop whose migration is done, with rows that were born in its new model."""
    with factory.shop() as shop:
        before = shop.rows(_OLD)
        with Writer(shop.dsn, 3):
            shop.finish()
            wait_until(lambda: shop.one("SELECT count(*) FROM new.people WHERE email ~ '^born-'") > 0)
        yield shop, before


def check_undone(shop: Shop, before: list[tuple[Any, ...]], writer: Writer | None = None) -> None:
    """Nothing is left of the migration but its ledger, and the old model is what it was."""
    assert shop.rows(_OLD) == before, shop.told("the old model is not what it was")
    assert shop.one("SELECT to_regnamespace('new')") is None
    left = (
        "SELECT relname FROM pg_class WHERE relnamespace = 'lockgate'::regnamespace AND relkind IN ('r', 'S') "
        "AND relname ~ '^(log|recheck|born|before)_\\d' UNION ALL "
        "SELECT proname FROM pg_proc WHERE pronamespace = 'lockgate'::regnamespace AND proname ~ '^log_\\d' UNION ALL "
        "SELECT name FROM lockgate.sync_targets UNION ALL SELECT name FROM lockgate.mappings UNION ALL "
        "SELECT label FROM lockgate.logs UNION ALL SELECT 'chunk' FROM lockgate.chunks"
    )
    shop.none(shop.rows(left), "something is left over")
    states = "SELECT state FROM lockgate.phases UNION SELECT state FROM lockgate.steps"
    assert shop.rows(states) == [("undone",)], shop.told("not everything is undone")
    with shop.connect() as conn:
        if writer is not None:
            shop.none(writer.errors, "the application had errors")
            shop.none(writer.differences(read_tables(conn)), "acknowledged writes are not there")


def test_killed_at_each_point_of_a_rollback(migrated: tuple[Shop, list[tuple[Any, ...]]]) -> None:
    shop, before = migrated
    with Writer(shop.dsn, 4, new_model=False) as writer:
        writer.tables["born"] = {}
        points = {
            "undo.chunks",
            "undo.stopped",
            "undo.blocks",
            "undo.forgotten",
            "undo.log",
            "undo.step",
            "undo.recorded",
            "undo.sql",
        }
        points |= {"phase.undoing", "phase.undoing.commit", "phase.undone", "phase.undone.commit", "run.ended"}
        points |= {"ledger.installed", "lease.acquired", "run.started", "sql.statement", "step.commit"}
        never = kill_at_each(shop, points, "rollback", *ALL)
    assert never == set()
    check_undone(shop, before, writer)
    with Writer(shop.dsn, 5) as writer:
        shop.finish()
    shop.check_migrated(writer, times=2)


@pytest.mark.one_server
@pytest.mark.parametrize("number", [2, 3])
def test_killed_at_later_passes_of_a_rollback(migrated: tuple[Shop, list[tuple[Any, ...]]], number: int) -> None:
    shop, before = migrated
    points = {"undo.stopped", "undo.blocks", "undo.forgotten", "undo.log", "undo.step", "undo.recorded", "phase.undone"}
    kill_at_each(shop, points, "rollback", *ALL, number=number)
    assert shop.kills
    check_undone(shop, before)


def test_the_second_mapping_of_a_table_is_taken_back_before_it_is_copied(shop: Shop) -> None:
    """Its target waits for no chunk any more: the first mapping keeps the table."""
    assert shop.run("apply", faults="map.planned:2").killed
    assert shop.one("SELECT state FROM lockgate.sync_targets WHERE name = 'new.people'") == "backfill"
    shop.finish("rollback", "--to", "model", "--lose-rows", "--yes")
    assert shop.one("SELECT count(*) FROM new.people") == 0
    shop.finish()
    shop.check_migrated(times=None)


def test_a_chunk_under_way_elsewhere_is_waited_for(shop: Shop) -> None:
    """Else its rows would be there after everything was taken back."""
    assert shop.run("apply", faults="map.planned").killed
    worker = shop.start("work", faults="chunk.commit", stop=True)
    worker.wait_for(lambda: worker.stopped, "the worker to be stopped")
    assert worker.alive, worker.said
    rollback = shop.start("rollback", "--to", "model", "--yes")
    waits = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'lockgate:undo' AND wait_event_type = 'Lock'"
    )
    rollback.wait_for(lambda: shop.one(waits), "rollback to wait for the chunk")
    assert rollback.alive, rollback.said
    worker.thaw()
    assert rollback.wait() == 0, rollback.said
    assert shop.one("SELECT count(*) FROM new.people") == 0
    worker.end()


@pytest.mark.one_server
def test_killed_at_random_moments_of_apply_and_rollback(factory: Factory) -> None:
    chance = random.Random(17)
    with factory.shop() as shop:
        before = shop.rows(_OLD)
        with Writer(shop.dsn, 6, new_model=False) as writer:
            for _ in range(4):
                for command in (("apply",), ("rollback", *ALL)):
                    process = shop.start(*command)
                    if not process.wait_at_most(chance.uniform(0, 4)):
                        process.kill()
                        shop.kills.append(f"{command[0]} after {process.points[-1:]}")
                # A run that was killed at once has left no ledger, and there is nothing to take back.
                if chance.random() < 0.5 and shop.one("SELECT to_regclass('lockgate.chain')"):
                    shop.finish("rollback", *ALL)
            shop.finish("rollback", *ALL)
        check_undone(shop, before, writer)
        shop.finish()
        shop.check_migrated(times=None)
