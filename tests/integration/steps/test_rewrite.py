"""The rewrite step: a bloated table gets its space back under the application's hands."""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from lockgate import preview
from lockgate.catalog import document, relations
from lockgate.engine.clock import SystemClock
from lockgate.errors import PlanError, RollbackRefused
from lockgate.replacing import room
from lockgate.safety.database import amount
from lockgate.steps import rewrite
from tests.copies import EMPTY
from tests.integration.engine.plans import act, one, rows, sessions
from tests.integration.steps.cutovers import apply, rollback
from tests.integration.steps.partitioned import MESSAGES, Application
from tests.integration.steps.rewritten import BEFORE, SETUP, bloat, plan
from tests.killing import Due, call

NOTES = """
CREATE SCHEMA core;
CREATE TABLE core.notes (a int NOT NULL, "B ä" text NOT NULL, v text, d int GENERATED ALWAYS AS (a * 2) STORED,
    CONSTRAINT one UNIQUE ("B ä", a) INCLUDE (v), FOREIGN KEY ("B ä", a) REFERENCES core.notes ("B ä", a));
"""
NOTES_PLAN = """
phases:
  - id: smaller
    steps:
      - rewrite: notes
        table: core.notes
        aside: notes_old
  - id: settled
    steps:
      - close: notes
"""
TARGET = "tests.integration.steps.test_rewrite"


@pytest.fixture
def filled(dsn: str) -> str:
    act(dsn, SETUP)
    return dsn


def schema(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        return document.read(conn).digest


def content(dsn: str, table: str = MESSAGES) -> list[tuple[object, ...]]:
    return rows(dsn, f"SELECT * FROM {table} ORDER BY id")


def size(dsn: str, table: str = MESSAGES) -> int:
    return int(one(dsn, f"SELECT pg_total_relation_size('{table}')"))


def evidence(dsn: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = one(
        dsn,
        "SELECT payload::jsonb -> 'result' FROM lockgate.chain WHERE kind = 'evidence' "
        f"AND payload::jsonb ->> 'name' = '{name}' ORDER BY seq DESC LIMIT 1",
    )
    return found


def forth(dsn: str, folder: str) -> None:
    """Called in a process of its own."""
    apply(dsn, plan(Path(folder)), "smaller")


def close(dsn: str, folder: str) -> None:
    """Called in a process of its own."""
    apply(dsn, plan(Path(folder)))


def back(dsn: str, folder: str) -> None:
    """Called in a process of its own."""
    rollback(dsn, plan(Path(folder)), "@start")


def test_the_table_is_what_it_was_but_for_the_space(filled: str, tmp_path: Path) -> None:
    reader = f"reader_{token_hex(4)}"
    act(
        filled,
        f"CREATE ROLE {reader}; GRANT SELECT, UPDATE (body) ON {MESSAGES} TO {reader} WITH GRANT OPTION",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA core GRANT ALL ON TABLES TO PUBLIC",
        *bloat(MESSAGES, "client"),
    )
    before, held, large = schema(filled), content(filled), size(filled)
    loaded = plan(tmp_path)
    apply(filled, loaded, "smaller")
    assert content(filled) == held
    assert size(filled) < large / 2
    act(filled, f"INSERT INTO {MESSAGES} (client, body) VALUES (3, 'new')")
    assert one(filled, "SELECT count(*) FROM core.recent WHERE body = 'new'") == 1
    assert one(filled, "SELECT count(*) FROM core.grouped WHERE body = 'new'") == 1
    act(filled, f"DELETE FROM {MESSAGES} WHERE id = 100")
    assert one(filled, f"SELECT count(*) FROM {MESSAGES} WHERE parent IS NOT NULL") == 0
    assert one(filled, "SELECT count(*) FROM core.replies") == 29
    for wrong in ("client = 99", "body = ''", "span = '[0,1000)'"):
        with psycopg.connect(filled) as conn, pytest.raises(psycopg.IntegrityError):
            conn.execute(f"UPDATE {MESSAGES} SET {wrong} WHERE id = 102".encode())
    with psycopg.connect(filled) as conn, pytest.raises(psycopg.DatabaseError, match="is refused"):
        conn.execute(f"DELETE FROM {BEFORE}".encode())
    held = content(filled)
    apply(filled, loaded)
    assert one(filled, f"SELECT to_regclass('{BEFORE}')") is None
    assert schema(filled) == before
    assert content(filled) == held
    assert evidence(filled, "bytes_before:messages")["total"] == large
    assert evidence(filled, "bytes_after:messages")["total"] < large / 2
    assert evidence(filled, "given_back:messages")["total"] >= large
    assert (
        0 < evidence(filled, "held:messages")["exclusive"] <= evidence(filled, "held:messages")["milliseconds"] < 2_000
    )
    # Nothing is left to swap back; the plan can be taken back and begun anew all the same.
    rollback(filled, loaded, "@start")
    assert schema(filled) == before
    assert content(filled) == held
    apply(filled, loaded)
    assert content(filled) == held
    act(filled, f"DROP OWNED BY {reader}; DROP ROLE {reader}")


def test_until_close_the_way_back_loses_nothing(filled: str, tmp_path: Path) -> None:
    before = schema(filled)
    loaded = plan(tmp_path)
    apply(filled, loaded, "smaller")
    act(filled, f"UPDATE {MESSAGES} SET body = 'later' WHERE client = 1", f"DELETE FROM {MESSAGES} WHERE client = 2")
    act(filled, f"ALTER TABLE {MESSAGES} ADD COLUMN more int")
    with pytest.raises(RollbackRefused, match="more"):
        rollback(filled, loaded, "@start")
    act(filled, f"ALTER TABLE {MESSAGES} DROP COLUMN more")
    held = content(filled)
    rollback(filled, loaded, "@start")
    assert content(filled) == held
    assert schema(filled) == before


def test_nothing_is_lost_and_nothing_fails_while_the_application_writes(filled: str, tmp_path: Path) -> None:
    before = schema(filled)
    loaded = plan(tmp_path)
    application = Application(filled, writers=2)
    with application.writing():
        apply(filled, loaded)
    assert application.failures == []
    assert application.writes > 0
    assert schema(filled) == before
    assert dict(rows(filled, f"SELECT id, body FROM {MESSAGES} WHERE body LIKE 'w%'")) == application.rows


@pytest.mark.one_server
@pytest.mark.slow
@pytest.mark.sampled
def test_a_run_that_is_killed_anywhere_goes_on_and_so_does_the_way_back(filled: str, tmp_path: Path, due: Due) -> None:
    before = schema(filled)
    application = Application(filled, writers=1)
    folder = str(tmp_path / "plan")
    with application.writing():
        passed = {}
        for name in ("forth", "back"):
            ended = call(f"{TARGET}:{name}", filled, folder, log=tmp_path / name)
            assert ended.code == 0, ended.err
            # What the mapping and the cutover do by themselves is killed in their own tests.
            own = ("replacing.", "rewrite.", "giveback.", "index.", "alone.", "cutover.commit")
            passed[name] = [f"{point}:1" for point in dict.fromkeys(ended.points) if point.startswith(own)]
        assert len(passed["forth"]) >= 12
        assert len(passed["back"]) >= 4
        for name, points in passed.items():
            # Each run goes on where the one before was killed.
            chosen = list(due(points))
            killed = [call(f"{TARGET}:{name}", filled, folder, fault=point).killed for point in chosen]
            assert killed.count(True) >= len(chosen) - 1
            ended = call(f"{TARGET}:{name}", filled, folder)
            assert ended.code == 0, ended.err
    assert application.failures == []
    assert schema(filled) == before
    assert dict(rows(filled, f"SELECT id, body FROM {MESSAGES} WHERE body LIKE 'w%'")) == application.rows


@pytest.mark.one_server
def test_a_close_that_is_killed_drops_the_table_once(filled: str, tmp_path: Path) -> None:
    before, folder = schema(filled), str(tmp_path / "plan")
    forth(filled, folder)
    for point in ("close.closed", "close.drop", "close.dropped", "step.commit"):
        assert call(f"{TARGET}:close", filled, folder, fault=f"{point}:1").killed
    close(filled, folder)
    assert schema(filled) == before
    assert evidence(filled, "given_back:messages")["total"] > 0


def test_a_key_that_is_no_primary_key_and_an_empty_table(dsn: str, tmp_path: Path) -> None:
    act(dsn, NOTES)
    before = schema(dsn)
    loaded = plan(tmp_path, NOTES_PLAN)
    apply(dsn, loaded, "smaller")
    act(dsn, "INSERT INTO core.notes (a, \"B ä\", v) SELECT n, 'x' || n % 3, NULL FROM generate_series(1, 20) n")
    rollback(dsn, loaded, "@start")
    assert schema(dsn) == before
    act(dsn, *bloat("core.notes", "a"))
    apply(dsn, loaded)
    assert schema(dsn) == before
    assert one(dsn, "SELECT sum(d) FROM core.notes") == 420
    assert one(
        dsn,
        "SELECT array_agg(convalidated) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'core.notes'::regclass",
    ) == [True]


@pytest.mark.parametrize("template", [EMPTY])  # the ledger is to be the role's own
def test_the_owner_of_the_table_may_do_it(dsn: str, tmp_path: Path) -> None:
    act(dsn, NOTES, "INSERT INTO core.notes (a, \"B ä\") VALUES (1, 'x')")
    role, word = f"owner_{token_hex(4)}", token_hex(8)
    act(
        dsn,
        f"CREATE ROLE {role} LOGIN PASSWORD '{word}'",
        f"DO $$BEGIN EXECUTE 'GRANT CREATE ON DATABASE ' || current_database() || ' TO {role}'; END$$",
        f"ALTER SCHEMA core OWNER TO {role}; ALTER TABLE core.notes OWNER TO {role}",
    )
    before = schema(dsn)
    loaded = plan(tmp_path, NOTES_PLAN)
    theirs = make_conninfo(dsn, user=role, password=word)
    apply(theirs, loaded, "smaller")
    rollback(theirs, loaded, "@start")
    apply(theirs, loaded)
    assert schema(dsn) == before
    assert one(dsn, "SELECT count(*) FROM core.notes") == 1


@pytest.mark.one_server
def test_what_is_changed_before_the_swap_is_not_lost_with_it(filled: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "plan")
    assert call(f"{TARGET}:forth", filled, folder, fault="replacing.filled:1").killed
    act(filled, f"CREATE INDEX since ON {MESSAGES} (company)")
    assert call(f"{TARGET}:forth", filled, folder, fault="rewrite.attached:1").killed
    act(filled, f"ALTER TABLE {MESSAGES} ALTER kind SET DEFAULT 'out'")
    with pytest.raises(PlanError) as caught:
        forth(filled, folder)
    assert "was changed since" in str(caught.value.what)
    assert "column kind" in str(caught.value.why)
    assert one(filled, f"SELECT to_regclass('{BEFORE}')") is None
    before = schema(filled)
    back(filled, folder)
    assert "since" in [name for (name,) in rows(filled, "SELECT relname FROM pg_class WHERE relkind = 'i'")]
    close(filled, folder)
    assert one(filled, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'core.since'::regclass") is True
    assert one(filled, f"SELECT to_regclass('{BEFORE}')") is None
    assert before != schema(filled)  # while it was being rewritten there was a second table


def lines(dsn: str, folder: Path, text: str) -> str:
    """What `lockgate plan` says of the first step."""
    loaded = plan(folder, text)
    seen = preview.preview(loaded, sessions(dsn), SystemClock())
    return "\n".join(seen.phases[0].steps[0].lines)


def test_the_plan_says_what_it_takes_and_what_comes_back(dsn: str, tmp_path: Path) -> None:
    act(
        dsn,
        "CREATE SCHEMA core",
        'CREATE TABLE core.notes (a int NOT NULL, "B ä" text NOT NULL, v text, d int, flag bool, at timestamptz, '
        'CONSTRAINT one UNIQUE ("B ä", a)) WITH (autovacuum_enabled = false)',
        "CREATE INDEX ON core.notes (at, d)",
        "INSERT INTO core.notes SELECT n, 'x' || n, CASE WHEN n % 7 = 0 THEN "
        "(SELECT string_agg(md5(n::text || i), '') FROM generate_series(1, 100) i) END, nullif(n % 3, 0), true, "
        "now() - make_interval(mins => n) FROM generate_series(1, 6000) n",
        "CREATE TABLE core.fresh AS SELECT * FROM core.notes",
        'CREATE UNIQUE INDEX ON core.fresh ("B ä", a)',
        "CREATE INDEX ON core.fresh (at, d)",
    )
    assert "WARNING: there is little to give back" in lines(dsn, tmp_path, NOTES_PLAN)
    act(dsn, "ALTER TABLE core.notes REPLICA IDENTITY FULL")  # else it could not be changed when it is published
    act(dsn, "CREATE PUBLICATION everything FOR ALL TABLES", *bloat("core.notes", "v", 4))
    said = lines(dsn, tmp_path, NOTES_PLAN)
    assert "little" not in said
    assert "publication everything publishes the copied rows" in said
    assert "ACCESS EXCLUSIVE on it" in said
    assert "kept in step until `close: notes`" in said
    with psycopg.connect(dsn, autocommit=True) as conn:
        table = relations.named(conn, "core.notes", "")
        now, then = room.sizes(conn, table.oid), room.anew(conn, table, ("B ä", "a"))
    assert f"it takes {room.Room.of(now)} now" in said
    assert str(then.room) in said
    assert now["total"] == size(dsn, "core.notes")
    assert then.room.total == pytest.approx(size(dsn, "core.fresh"), rel=0.1)
    assert then.room.toast == pytest.approx(one(dsn, _TOAST), rel=0.15)
    assert f"{amount(now['total'] - then.room.total)} less than there is now" in said


_TOAST = """
SELECT pg_total_relation_size(reltoastrelid) FROM pg_class WHERE oid = 'core.fresh'::regclass
"""


@pytest.mark.one_server
@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("ALTER TABLE core.notes DROP CONSTRAINT one CASCADE", "has no primary key"),
        ("ALTER TABLE core.notes SET UNLOGGED", "is not logged"),
        ("ALTER TABLE core.notes ADD CHECK (a > 0) NOT VALID", "does not hold for all rows"),
        ("CREATE TABLE core.heir () INHERITS (core.notes)", "not a plain table"),
        ("CREATE MATERIALIZED VIEW core.m AS SELECT a FROM core.notes", "materialized view core.m"),
        ("CREATE RULE r AS ON DELETE TO core.notes DO ALSO SELECT 1", "rule"),
        ("CREATE FUNCTION core.f(core.notes) RETURNS int LANGUAGE sql AS 'SELECT 1'", "function"),
        ("ALTER TABLE core.notes ADD n int GENERATED ALWAYS AS IDENTITY", "GENERATED ALWAYS AS IDENTITY"),
        ("CREATE TABLE core.notes_old ()", "core.notes_old is there already"),
        ("CREATE TABLE core.notes_rewritten ()", "core.notes_rewritten is there already"),
        (
            "DROP TABLE core.notes; CREATE TABLE core.notes (a int PRIMARY KEY) PARTITION BY RANGE (a)",
            "not a plain table",
        ),
    ],
)
def test_what_cannot_be_moved_is_refused_before_anything_is_changed(
    dsn: str, tmp_path: Path, change: str, what: str
) -> None:
    act(dsn, NOTES, change)
    before = schema(dsn)
    with pytest.raises(PlanError) as caught:
        apply(dsn, plan(tmp_path, NOTES_PLAN), "smaller")
    assert what in f"{caught.value.what} {caught.value.why}"
    assert "plan.yaml:" in str(caught.value.where)
    assert schema(dsn) == before


SMALL = """
CREATE SCHEMA core;
CREATE TABLE core.notes (a int PRIMARY KEY, v text UNIQUE, w int) WITH (autovacuum_enabled = false);
CREATE INDEX places ON core.notes (w);
INSERT INTO core.notes SELECT n, 'v' || n, n FROM generate_series(1, 50) n;
"""


def small(dsn: str, folder: str) -> None:
    """Called in a process of its own."""
    apply(dsn, plan(Path(folder), NOTES_PLAN), "smaller")


@pytest.mark.one_server
def test_an_index_in_which_a_value_stands_twice_for_a_moment_is_built_anew(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    act(dsn, SMALL)
    assert call(f"{TARGET}:small", dsn, str(tmp_path), fault="index.built:1").killed
    # As if a row had been given the value of another one, whose change is still on its way.
    act(dsn, "INSERT INTO core.notes_rewritten VALUES (51, 'v1')")
    waited = []

    def arrives(*given: object) -> None:
        waited.append(one(dsn, "SELECT count(*) FROM pg_index WHERE NOT indisvalid"))
        act(dsn, "DELETE FROM core.notes_rewritten WHERE a = 51")

    monkeypatch.setattr(rewrite, "settle", arrives)
    small(dsn, str(tmp_path))
    assert waited == [0]
    assert one(dsn, "SELECT count(*) FROM core.notes") == 50
    with psycopg.connect(dsn) as conn, pytest.raises(psycopg.errors.UniqueViolation):
        conn.execute("INSERT INTO core.notes VALUES (60, 'v1')")


@pytest.mark.one_server
def test_table_and_indexes_stay_in_their_tablespaces(dsn: str, tmp_path: Path) -> None:
    first, second = (f"space_{token_hex(4)}" for _ in range(2))
    for name in (first, second):
        act(dsn, "SET allow_in_place_tablespaces = on", f"CREATE TABLESPACE {name} LOCATION ''")
    act(
        dsn, SMALL, f"ALTER TABLE core.notes SET TABLESPACE {first}", f"ALTER INDEX core.places SET TABLESPACE {second}"
    )
    where = (
        "SELECT c.relname, t.spcname FROM pg_class c LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace "
        "WHERE c.relname IN ('notes', 'notes_pkey', 'places') ORDER BY 1"
    )
    before = rows(dsn, where)
    assert before == [("notes", first), ("notes_pkey", None), ("places", second)]
    apply(dsn, plan(tmp_path, NOTES_PLAN))
    assert rows(dsn, where) == before
    act(dsn, "DROP SCHEMA core CASCADE", f"DROP TABLESPACE {first}", f"DROP TABLESPACE {second}")
