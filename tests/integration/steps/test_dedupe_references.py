"""Step ``dedupe``: what refers to a row that is removed is neither lost with it nor cut off, and comes back exactly."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lockgate.errors import DatabaseError
from tests.integration.engine.plans import act, back, expire, forth, one, rows, write_plan
from tests.killing import call

PLANS = "tests.integration.engine.plans"
CHILDREN = "SELECT * FROM core.child ORDER BY 1, 2"
ALIKE = "INSERT INTO core.item SELECT g, 'x' || g % 3 FROM generate_series(1, 9) g"
REFER = "INSERT INTO core.child SELECT g, g FROM generate_series(1, 9) g"
PARTITIONED = """
    CREATE TABLE core.item (id int PRIMARY KEY, gone int, name text) PARTITION BY RANGE (id);
    ALTER TABLE core.item DROP COLUMN gone;
    CREATE TABLE core.part PARTITION OF core.item FOR VALUES FROM (0) TO (100)
"""
REPOINTED = [(n, (n - 1) % 3 + 1) for n in range(1, 10)]


def plan(folder: Path, text: str) -> str:
    write_plan(folder, f"settings: {{chunk_rows: 100}}\nphases:\n  - id: fewer\n    steps:\n      - {text}\n")
    return str(folder)


def facts(dsn: str) -> Any:
    query = "SELECT payload -> 'facts' FROM lockgate.chain WHERE kind = 'step' AND payload ->> 'state' = 'done'"
    return one(dsn, query)


@pytest.mark.parametrize(
    ("refers_to", "removed_from"), [("core.item", "core.part"), ("core.part", "core.item"), ("core.item", "core.item")]
)
def test_what_refers_to_the_whole_or_to_a_partition_is_kept(
    dsn: str, tmp_path: Path, refers_to: str, removed_from: str
) -> None:
    act(
        dsn,
        "CREATE SCHEMA core",
        PARTITIONED,
        f"CREATE TABLE core.child (id int PRIMARY KEY, item int REFERENCES {refers_to} (id) ON DELETE CASCADE)",
        ALIKE,
        REFER,
    )
    before = rows(dsn, CHILDREN)
    folder = plan(tmp_path, f"{{dedupe: {removed_from}, by: [name], keep: [id]}}")
    forth(dsn, folder)
    assert rows(dsn, CHILDREN) == REPOINTED
    assert facts(dsn)["repointed"] == {"core.child": 6}
    back(dsn, folder)
    assert rows(dsn, CHILDREN) == before
    assert one(dsn, "SELECT count(*) FROM core.item") == 9


def test_a_partition_whose_whole_refers_to_itself_is_refused(dsn: str, tmp_path: Path) -> None:
    act(dsn, "CREATE SCHEMA core", PARTITIONED, "ALTER TABLE core.item ADD up int REFERENCES core.item", ALIKE)
    with pytest.raises(DatabaseError, match="refers to itself"):
        forth(dsn, plan(tmp_path, "{dedupe: core.part, by: [name], keep: [id]}"))
    assert one(dsn, "SELECT count(*) FROM core.item") == 9


def test_two_references_in_the_key_of_a_row_come_back(dsn: str, tmp_path: Path) -> None:
    act(
        dsn,
        "CREATE SCHEMA core",
        "CREATE TABLE core.item (id int PRIMARY KEY, name text)",
        "CREATE TABLE core.child (a int REFERENCES core.item, b int REFERENCES core.item, PRIMARY KEY (a, b))",
        ALIKE,
        "INSERT INTO core.child VALUES (4, 5), (8, 9), (1, 6)",
    )
    before = rows(dsn, CHILDREN)
    folder = plan(tmp_path, "{dedupe: core.item, by: [name], keep: [id]}")
    forth(dsn, folder)
    assert rows(dsn, CHILDREN) == [(1, 2), (1, 3), (2, 3)]
    back(dsn, folder)
    assert rows(dsn, CHILDREN) == before


def test_a_reference_is_not_cut_where_the_row_that_stays_has_nothing_to_refer_to(dsn: str, tmp_path: Path) -> None:
    act(
        dsn,
        "CREATE SCHEMA core",
        "CREATE TABLE core.item (id int PRIMARY KEY, code text UNIQUE, name text)",
        "CREATE TABLE core.child (id int PRIMARY KEY, code text REFERENCES core.item (code))",
        "INSERT INTO core.item VALUES (1, NULL, 'x'), (2, 'two', 'x'), (3, NULL, 'y'), (4, NULL, 'y')",
        "INSERT INTO core.child VALUES (1, 'two')",
    )
    with pytest.raises(DatabaseError, match=re.escape("1 rows of core.child")) as refused:
        forth(dsn, plan(tmp_path, "{dedupe: core.item, by: [name], keep: [id]}"))
    assert "no value in (code)" in str(refused.value.why)
    assert rows(dsn, CHILDREN) == [(1, "two")]
    assert one(dsn, "SELECT count(*) FROM core.item") == 4
    back(dsn, str(tmp_path))
    forth(dsn, plan(tmp_path, "{dedupe: core.item, by: [name], keep: [code NULLS LAST, id]}"))
    assert rows(dsn, "SELECT id FROM core.item ORDER BY 1") == [(2,), (3,)]
    assert rows(dsn, CHILDREN) == [(1, "two")]


def test_rows_that_a_trigger_keeps_are_not_removed_with_what_they_refer_to(dsn: str, tmp_path: Path) -> None:
    act(
        dsn,
        "CREATE SCHEMA core",
        "CREATE TABLE core.item (id int PRIMARY KEY, name text)",
        "CREATE TABLE core.child (id int PRIMARY KEY, item int REFERENCES core.item ON DELETE CASCADE)",
        "CREATE FUNCTION core.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TRIGGER frozen BEFORE UPDATE ON core.child FOR EACH ROW EXECUTE FUNCTION core.keep()",
        ALIKE,
        REFER,
    )
    before = rows(dsn, CHILDREN)
    text = "{dedupe: core.item, by: [name], keep: [id], acknowledge_triggers: [frozen]}"
    with pytest.raises(DatabaseError, match=re.escape("6 rows of core.child")):
        forth(dsn, plan(tmp_path, text))
    assert rows(dsn, CHILDREN) == before
    assert one(dsn, "SELECT count(*) FROM core.item") == 9


def test_a_removed_row_that_the_application_writes_anew_is_removed_again(dsn: str, tmp_path: Path) -> None:
    act(
        dsn,
        "CREATE SCHEMA core",
        "CREATE TABLE core.item (code text PRIMARY KEY, name text, note text)",
        "INSERT INTO core.item SELECT 'c' || g, 'x' || g % 3, 'old' FROM generate_series(1, 9) g",
    )
    folder = plan(tmp_path, "{dedupe: core.item, by: [name], keep: [code]}")
    assert call(f"{PLANS}:forth", dsn, folder, fault="dedupe.batch:1").killed
    expire(dsn)
    act(dsn, "INSERT INTO core.item VALUES ('c9', 'x0', 'new')")
    forth(dsn, folder)
    assert rows(dsn, "SELECT code FROM core.item ORDER BY 1") == [("c1",), ("c2",), ("c3",)]
    assert rows(dsn, "SELECT note FROM lockgate.removed_1 WHERE code = 'c9' ORDER BY 1") == [("new",), ("old",)]
    back(dsn, folder)
    assert one(dsn, "SELECT count(*) FROM core.item") == 9
    assert one(dsn, "SELECT note FROM core.item WHERE code = 'c9'") == "new"
    query = "SELECT payload -> 'facts' ->> 'replaced' FROM lockgate.chain WHERE payload -> 'facts' ? 'replaced'"
    assert one(dsn, query) == "1"


@pytest.mark.parametrize(
    "change", ["ADD extra int NOT NULL DEFAULT 1", "DROP note", "ALTER note TYPE varchar(9) USING note"]
)
def test_a_table_that_was_changed_while_rows_are_removed_is_said(dsn: str, tmp_path: Path, change: str) -> None:
    act(
        dsn,
        "CREATE SCHEMA core",
        "CREATE TABLE core.item (id int PRIMARY KEY, name text, note text NOT NULL DEFAULT 'n')",
        "INSERT INTO core.item SELECT g, 'x' || g % 60 FROM generate_series(1, 300) g",
    )
    folder = plan(tmp_path, "{dedupe: core.item, by: [name], keep: [id]}")
    assert call(f"{PLANS}:forth", dsn, folder, fault="dedupe.batch:1").killed
    expire(dsn)
    act(dsn, f"ALTER TABLE core.item {change}")
    with pytest.raises(DatabaseError, match="not what it was when the step began") as refused:
        forth(dsn, folder)
    assert ("extra" if "extra" in change else "note") in str(refused.value.what)
    back(dsn, folder)
    assert one(dsn, "SELECT count(*) FROM core.item") == 300
    forth(dsn, folder)
    assert one(dsn, "SELECT count(*) FROM core.item") == 60


def test_a_condition_may_hold_a_percent_sign_and_the_name_of_the_table(dsn: str, tmp_path: Path) -> None:
    act(dsn, "CREATE SCHEMA core", 'CREATE TABLE core."order" ("ID" int PRIMARY KEY, "Na me" text)')
    act(dsn, ALIKE.replace("item", '"order"'))
    step = {
        "dedupe": 'core."order"',
        "by": ['"Na me"'],
        "key": ['"ID"'],
        "keep": ['"order"."ID"'],
        "where": """
            "order"."Na me" LIKE 'x%' AND EXISTS (SELECT FROM core."order" o WHERE o."ID" < "order"."ID")""",
    }
    forth(dsn, plan(tmp_path, json.dumps(step)))
    assert rows(dsn, 'SELECT "ID" FROM core."order" ORDER BY 1') == [(1,), (2,), (3,), (4,)]
