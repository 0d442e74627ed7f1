"""Step ``normalise``: tables that share a key, constraints that wait, triggers that keep, and tables that are gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lockgate.errors import PlanError, RollbackRefused
from lockgate.plan.load import load_plan
from tests.integration.engine.plans import act, back, expire, forth, one, rows, write_plan
from tests.integration.steps.cutovers import rollback
from tests.killing import call

PLANS = "tests.integration.engine.plans"
TABLE = """
    CREATE SCHEMA core;
    CREATE TABLE core.item (id int PRIMARY KEY, name text);
    INSERT INTO core.item VALUES (1, 'A'), (2, 'Bb'), (3, 'c')
"""
STEP = "{normalise: small, table: core.item, key: [id], columns: {name: {as: lower}}%s}"
CONTENT = "SELECT id, name FROM core.item ORDER BY 1, 2"


def plan(folder: Path, more: str = "", later: str = "") -> str:
    write_plan(folder, f"phases:\n  - id: tidy\n    steps:\n      - {STEP % more}\n{later}")
    return str(folder)


def facts(dsn: str, of: str) -> Any:
    return one(dsn, f"SELECT payload -> 'facts' FROM lockgate.chain WHERE payload -> 'facts' ? '{of}'")


def said(dsn: str) -> str:
    return str(one(dsn, "SELECT payload ->> 'summary' FROM lockgate.chain WHERE payload -> 'facts' ? 'passes'"))


def test_a_table_that_others_inherit_from_is_refused(dsn: str, tmp_path: Path) -> None:
    act(dsn, TABLE, "CREATE TABLE core.heir () INHERITS (core.item)", "INSERT INTO core.heir VALUES (1, 'HEIR')")
    with pytest.raises(PlanError, match="inherit from it") as refused:
        forth(dsn, plan(tmp_path))
    assert "plan.yaml:5" in str(refused.value.where)
    assert (1, "HEIR") in rows(dsn, CONTENT)


def test_a_row_that_a_deferred_constraint_refuses_is_kept_and_the_others_are_written(dsn: str, tmp_path: Path) -> None:
    act(dsn, TABLE, "ALTER TABLE core.item ADD UNIQUE (name) DEFERRABLE INITIALLY DEFERRED")
    act(dsn, "INSERT INTO core.item VALUES (4, 'a')")
    forth(dsn, plan(tmp_path))
    assert rows(dsn, CONTENT) == [(1, "A"), (2, "bb"), (3, "c"), (4, "a")]
    reason = "name: refused by item_name_key"
    assert rows(dsn, "SELECT reason, source FROM lockgate.quarantine") == [(reason, {"id": "1"})]
    assert facts(dsn, "passes")["passes"] == [{"pass": 1, "lacking": 1, "written": 0, "refused": 1}]
    assert "lacked it still" not in said(dsn)
    back(dsn, str(tmp_path))
    assert (2, "Bb") in rows(dsn, CONTENT)


@pytest.mark.parametrize(("body", "may_be"), [("RETURN NULL", True), ("", False)])
def test_rows_that_a_trigger_keeps_as_they_are_are_not_said_to_be_written_meanwhile(
    dsn: str, tmp_path: Path, body: str, may_be: bool
) -> None:
    act(dsn, TABLE)
    if body:
        act(
            dsn,
            f"CREATE FUNCTION core.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {body}; END'",
            "CREATE TRIGGER keeps BEFORE UPDATE ON core.item FOR EACH ROW EXECUTE FUNCTION core.f()",
        )
    forth(dsn, plan(tmp_path, ", acknowledge_triggers: [keeps], passes: 2" if body else ""))
    assert ("2 rows lacked it still in the last of 2 passes" in said(dsn)) is may_be
    assert ("or a trigger keeps them so" in said(dsn)) is may_be


def test_values_whose_rows_are_gone_are_counted(dsn: str, tmp_path: Path) -> None:
    act(dsn, TABLE)
    folder = plan(tmp_path)
    forth(dsn, folder)
    act(dsn, "INSERT INTO core.item VALUES (5, 'x')", "DELETE FROM core.item WHERE id = 1")
    back(dsn, folder)
    assert facts(dsn, "put_back") == {"put_back": 1, "changed_since": 0, "without_row": 1}
    assert rows(dsn, CONTENT) == [(2, "Bb"), (3, "c"), (5, "x")]


def test_values_of_a_table_that_another_one_took_the_place_of_are_not_forgotten(dsn: str, tmp_path: Path) -> None:
    act(dsn, TABLE)
    later = "  - id: smaller\n    steps:\n      - {rewrite: item, table: core.item}\n      - {close: item}\n"
    folder = plan(tmp_path, later=later)
    forth(dsn, folder)
    with pytest.raises(RollbackRefused, match="is gone") as refused:
        back(dsn, folder)
    kept = one(dsn, "SELECT relname FROM pg_class WHERE relname ~ '^normalised_[0-9]+$'")
    assert kept in str(refused.value.why)
    assert one(dsn, f"SELECT count(*) FROM lockgate.{kept}") == 2
    rollback(dsn, load_plan(tmp_path), "@start", lose_rows=True)
    assert one(dsn, "SELECT count(*) FROM pg_class WHERE relname ~ '^normalised_[0-9]+$'") == 0


def test_what_somebody_wrote_between_two_writes_of_the_step_comes_back(dsn: str, tmp_path: Path) -> None:
    act(dsn, TABLE)
    folder = plan(tmp_path)
    assert call(f"{PLANS}:forth", dsn, folder, fault="normalise.pass:1").killed
    expire(dsn)
    act(dsn, "UPDATE core.item SET name = 'Newer' WHERE id = 2")
    forth(dsn, folder)
    assert rows(dsn, CONTENT) == [(1, "a"), (2, "newer"), (3, "c")]
    back(dsn, folder)
    assert rows(dsn, CONTENT) == [(1, "A"), (2, "Newer"), (3, "c")]


def test_collisions_that_are_listed_again_are_listed_once(dsn: str, tmp_path: Path) -> None:
    act(dsn, TABLE, "INSERT INTO core.item VALUES (4, 'a'), (5, 'bb')")
    folder = plan(tmp_path, ", unique: [name]")
    assert call(f"{PLANS}:forth", dsn, folder, fault="normalise.listed:1").killed
    expire(dsn)
    act(dsn, "DELETE FROM core.item WHERE id = 5")
    forth(dsn, folder)
    listed = "SELECT source ->> 'id' FROM lockgate.quarantine WHERE outcome = 'collides' ORDER BY 1"
    assert rows(dsn, listed) == [("1",), ("4",)]
