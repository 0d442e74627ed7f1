"""Step ``normalise``: normal forms beside writers, killed anywhere, taken back; unfit values and collisions listed."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from lockgate import erasure, verification
from lockgate.checks.base import CheckResult
from lockgate.engine.clock import SystemClock
from lockgate.engine.context import Silent
from lockgate.errors import CheckFailed, LockgateError, PlanError, PrivilegeMissing
from lockgate.fitting import passes, writing
from lockgate.fitting import rows as reading
from lockgate.fitting.definition import of_step
from lockgate.ledger import normalisations
from lockgate.plan.load import load_plan
from lockgate.plan.models import NormaliseStep
from lockgate.report.listings import collect
from lockgate.steps import REGISTRY
from tests.integration.engine.plans import QUICK, act, back, expire, forth, one, rows, sessions, write_plan
from tests.killing import Due, call, every_point

PLANS = "tests.integration.engine.plans"
TABLE = """
CREATE SCHEMA core;
CREATE TABLE core."Phone ä" (
    "Person %" text NOT NULL, nr uuid NOT NULL, number varchar(40), e164 text, state char(2), note text DEFAULT 'n',
    PRIMARY KEY ("Person %", nr));
INSERT INTO core."Phone ä" ("Person %", nr, number, state)
SELECT 'p' || g % 100, pg_catalog.md5(g::text)::uuid,
       CASE g % 6 WHEN 0 THEN '(11) 9' || 50000000 + g WHEN 1 THEN '119' || 50000000 + g - 1 WHEN 2 THEN '3333-4444'
                  WHEN 3 THEN NULL WHEN 4 THEN '+1 650 253 0000' ELSE 'ask "Ana"' END,
       CASE g % 4 WHEN 0 THEN 'sp' WHEN 1 THEN 'RJ' WHEN 2 THEN 'x' END
FROM generate_series(1, 1200) g;
UPDATE core."Phone ä" SET e164 = 'old' WHERE number LIKE '(11)%5';
"""
STEP = """
      - normalise: phones
        table: core."Phone ä"
        key: ['"Person %"', nr]
        columns:
          e164: {from: number, as: e164, region: BR}
          state: {as: uf}
"""
PLAN = f"settings: {{workers: 2, chunk_rows: 100}}\nphases:\n  - id: tidy\n    steps:{STEP}"
CONTENT = 'SELECT "Person %", nr::text, number, e164, state, note FROM core."Phone ä" ORDER BY 1, 2'
QUARANTINE = "SELECT reason, source, kept, outcome, into_key FROM lockgate.quarantine ORDER BY reason, source::text"
FIT = "SELECT count(*) FROM core.\"Phone ä\" WHERE e164 ~ '^[+](55119[0-9]{8}|16502530000)$'"
EVIDENCE = """
    SELECT payload -> 'result' FROM lockgate.chain
    WHERE kind = 'evidence' AND payload ->> 'name' = %s ORDER BY seq DESC LIMIT 1
"""


@pytest.fixture
def filled(dsn: str) -> str:
    act(dsn, TABLE)
    return dsn


def evidence(dsn: str, name: str) -> dict[str, Any]:
    with psycopg.connect(dsn) as conn:
        row = conn.execute(EVIDENCE.encode(), (name,)).fetchone()
    assert row is not None
    found: dict[str, Any] = row[0]
    return found


def verified(dsn: str, folder: Path) -> CheckResult:
    found = verification.verify(
        load_plan(folder),
        sessions(dsn, QUICK),
        only=None,
        progress=Silent(),
        clock=SystemClock(),
        stop=threading.Event(),
    )
    (check,) = found
    assert check.result is not None, check.error
    return check.result


def plan(folder: Path, more: str = "", step: str = STEP, after: str = "") -> str:
    write_plan(
        folder, f"settings: {{workers: 2, chunk_rows: 100}}\nphases:\n  - id: tidy\n    steps:{step}{more}{after}"
    )
    return str(folder)


def test_values_get_their_normal_form_and_are_put_back(filled: str, tmp_path: Path) -> None:
    before = rows(filled, CONTENT)
    folder = plan(tmp_path)
    forth(filled, folder)
    assert one(filled, FIT) == 600
    assert one(filled, "SELECT count(*) FROM core.\"Phone ä\" WHERE number = '3333-4444' AND e164 IS NULL") == 200
    assert {row[4] for row in rows(filled, CONTENT)} == {"SP", "RJ", "x ", None}
    facts = evidence(filled, "normalised:phones")
    assert facts == {
        "rows": 1200,
        "fit": 600 + 600,
        "null": 200 + 300,
        "unfit": 400 + 300,
        "unfit_by_reason": {"e164: letters": 200, "e164: no area code": 200, "state: unknown": 300},
        "lacking": 0,
        "cleared_by_reason": {},
    }
    kept = rows(filled, QUARANTINE)
    assert len(kept) == 700
    number = next(row for row in kept if row[0] == "e164: letters")
    assert number[2] == {"number": 'ask "Ana"'}
    assert set(number[1]) == {"Person %", "nr"}
    back(filled, folder)
    assert rows(filled, CONTENT) == before
    assert rows(filled, QUARANTINE) == []
    assert one(filled, "SELECT count(*) FROM pg_class WHERE relname ~ '^(normalised|returning)_[0-9]'") == 0
    forth(filled, folder)
    assert one(filled, FIT) == 600


def test_values_stand_in_no_log_and_in_no_clear_text_of_the_ledger(filled: str, tmp_path: Path) -> None:
    forth(filled, plan(tmp_path, "        unique: [e164]\n"))
    told = str(rows(filled, "SELECT payload FROM lockgate.chain")) + str(
        rows(filled, "SELECT detail FROM lockgate.steps")
    )
    assert "3333-4444" not in told
    assert "16502530000" not in told
    assert "no area code" in told


def test_unfit_values_are_cleared_where_the_plan_says_so(filled: str, tmp_path: Path) -> None:
    before = rows(filled, CONTENT)
    folder = plan(tmp_path, "        on_unfit: clear\n")
    forth(filled, folder)
    assert one(filled, "SELECT count(*) FROM core.\"Phone ä\" WHERE state = 'x'") == 0
    assert one(filled, "SELECT count(*) FROM lockgate.quarantine WHERE reason = 'state: unknown'") == 300
    kept = rows(filled, "SELECT DISTINCT kept FROM lockgate.quarantine WHERE reason = 'state: unknown'")
    assert kept == [({"state": "x"},)]
    assert evidence(filled, "normalised:phones")["cleared_by_reason"] == {"state: unknown": 300}
    back(filled, folder)
    assert rows(filled, CONTENT) == before


def test_only_what_changes_is_written(filled: str, tmp_path: Path) -> None:
    places = 'SELECT ctid::text, "Person %", nr::text FROM core."Phone ä" WHERE state = \'RJ\' AND number IS NULL'
    before = rows(filled, places)
    forth(filled, plan(tmp_path))
    assert len(before) > 50
    assert rows(filled, places) == before


def test_collisions_are_listed_and_nothing_is_changed_for_them(filled: str, tmp_path: Path) -> None:
    """Every sixth number is written in two ways, for two persons; one is the same for all."""
    check = "\n    after:\n      - reconcile: phones\n"
    folder = plan(tmp_path, "        unique: [state, e164]\n", after=check)
    act(filled, "UPDATE core.\"Phone ä\" SET state = 'sp' WHERE number LIKE '%95000000%'")
    with pytest.raises(CheckFailed) as failed:
        forth(filled, folder)
    expected = rows(
        filled,
        'SELECT "Person %", nr::text FROM (SELECT *, count(*) OVER (PARTITION BY state, e164) AS n FROM core."Phone ä" '
        "WHERE state IS NOT NULL AND e164 IS NOT NULL) s WHERE n > 1 ORDER BY 1, 2",
    )
    assert len(expected) > 100
    assert f"{len(expected)} rows in " in str(failed.value)
    listed = rows(
        filled,
        "SELECT source ->> 'Person %', source ->> 'nr' FROM lockgate.quarantine WHERE outcome = 'collides' "
        "ORDER BY 1, 2",
    )
    assert listed == expected
    assert evidence(filled, "collisions:phones")["rows"] == len(expected)
    with psycopg.connect(filled) as conn:
        shown = {listing.what: listing for listing in collect(conn, "shop", show_values=True)}
    assert "+16502530000" in str(shown["phones: collides"].rows)


def test_a_step_with_collisions_is_done_and_says_so(filled: str, tmp_path: Path) -> None:
    forth(filled, plan(tmp_path, "        unique: [e164]\n"))
    said = one(
        filled, "SELECT payload ->> 'summary' FROM lockgate.chain WHERE payload ->> 'state' = 'done' AND kind = 'step'"
    )
    found = evidence(filled, "collisions:phones")
    assert f"{found['rows']} rows in {found['groups']} groups collide under (e164)" in said
    assert found["groups"] > 1


def test_what_is_written_later_is_found_by_the_check_and_by_a_further_step(filled: str, tmp_path: Path) -> None:
    check = "    after:\n      - reconcile: phones\n"
    folder = tmp_path / "plan"
    plan(folder, after=check)
    forth(filled, str(folder))
    assert verified(filled, folder).passed
    act(
        filled, "UPDATE core.\"Phone ä\" SET number = '21 2345-6789' WHERE number = '3333-4444' AND \"Person %\" < 'p5'"
    )
    changed = one(filled, "SELECT count(*) FROM core.\"Phone ä\" WHERE number LIKE '21%'")
    found = verified(filled, folder)
    assert not found.passed
    assert f"{changed} of 1200 rows lack" in found.what
    later = f"  - id: again\n    steps:{STEP.replace(': phones', ': phones_again')}"
    write_plan(folder, f"{PLAN}{check}{later}")
    forth(filled, str(folder))
    assert verified(filled, folder).passed


def test_a_value_that_somebody_changed_since_is_not_put_back(filled: str, tmp_path: Path) -> None:
    folder = plan(tmp_path)
    before = rows(filled, CONTENT)
    forth(filled, folder)
    act(
        filled,
        "UPDATE core.\"Phone ä\" SET e164 = '+5521999999999' WHERE e164 = '+16502530000' AND \"Person %\" < 'p2'",
        "UPDATE core.\"Phone ä\" SET note = 'seen'",
        'DELETE FROM core."Phone ä" WHERE "Person %" = \'p99\'',
    )
    changed = one(filled, "SELECT count(*) FROM core.\"Phone ä\" WHERE e164 = '+5521999999999'")
    assert changed > 10
    back(filled, folder)
    said = one(
        filled, "SELECT payload::text FROM lockgate.chain WHERE kind = 'undo' AND payload::text ~ 'put back' LIMIT 1"
    )
    assert f"{changed} stay" in said
    now = rows(filled, CONTENT)
    wanted = {row[:2]: row for row in before if row[0] != "p99"}
    assert len(now) == len(wanted)
    assert sum(row[3] == "+5521999999999" for row in now) == changed
    assert all(row[5] == "seen" for row in now)
    assert all(row[:5] == wanted[row[:2]][:5] for row in now if row[3] != "+5521999999999")


def test_writers_meanwhile_lose_nothing(filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between reading and writing each batch the application changes one of its rows, moves another one, and changes
    one that was written already."""
    before = {row[:2]: row[3] for row in rows(filled, CONTENT)}
    real = reading.sort
    made: list[str] = []

    def meddled(fitting: Any, found: Sequence[Any], *rest: Any) -> Any:
        found = list(found)
        changes = real(fitting, found, *rest)
        if changes and len(made) < 12:
            made.append("21 2222-2222")
            act(
                filled,
                f"UPDATE core.\"Phone ä\" SET number = '21 2222-2222' WHERE ctid = '{changes[0].tid}'",
                f"UPDATE core.\"Phone ä\" SET note = 'moved' WHERE ctid = '{changes[-1].tid}'",
                "UPDATE core.\"Phone ä\" SET number = '21 3333-3333' WHERE ctid = "
                "(SELECT ctid FROM core.\"Phone ä\" WHERE e164 LIKE '+5511%' AND number LIKE '119%' LIMIT 1)",
            )
        return changes

    monkeypatch.setattr("lockgate.fitting.bulk.sort", meddled)
    monkeypatch.setattr("lockgate.fitting.passes.sort", meddled)
    folder = plan(tmp_path)
    forth(filled, folder)
    assert len(made) >= 12
    written = rows(filled, "SELECT e164 FROM core.\"Phone ä\" WHERE number = '21 2222-2222'")
    assert len(written) >= 3
    assert set(written) == {("+552122222222",)}
    assert one(filled, "SELECT count(*) FROM core.\"Phone ä\" WHERE note = 'moved'") >= 3
    assert evidence(filled, "normalised:phones")["lacking"] == 0
    loaded = load_plan(Path(folder))
    step = loaded.plan.phases[0].steps[0]
    assert isinstance(step, NormaliseStep)
    with psycopg.connect(filled, autocommit=True) as conn:
        assert passes.look(conn, of_step(conn, step, lambda *path: "here")).lacking == 0
    twice = rows(filled, "SELECT e164 FROM core.\"Phone ä\" WHERE number = '21 3333-3333'")
    assert len(twice) >= 3
    assert set(twice) == {("+552133333333",)}
    back(filled, folder)
    assert {row[:2]: row[3] for row in rows(filled, CONTENT)} == before


def refused(change: reading.Change, error: psycopg.Error) -> None:
    raise AssertionError(f"{change.tid} was refused: {error}")


def test_a_row_that_holds_other_values_than_were_read_is_left_alone(filled: str, tmp_path: Path) -> None:
    step = load_plan(Path(plan(tmp_path))).plan.phases[0].steps[0]
    assert isinstance(step, NormaliseStep)
    with sessions(filled).open("test") as conn:
        fitting = of_step(conn, step, lambda *path: "here")
        key = [(column.number, column.plain_type) for column in fitting.key]
        of = normalisations.begin(conn, "shop", "phones", relid=fitting.table.oid, key=key, definition={})
        (leaf,) = fitting.table.leaves
        changes = reading.sort(fitting, reading.read_blocks(conn, fitting, leaf, 0, 1), reading.Counts())
        assert len(changes) > 20
        others = []
        for n in (
            0,
            1,
            3,
        ):  # what its source held, what it held itself, and what the second column, its own source, held
            held = list(changes[n].held)
            held[n] = "another"
            others.append(changes[n]._replace(held=tuple(held)))
        with conn.transaction():
            assert writing.write(conn, fitting, of, leaf.sql, others, refused) == 0
            written = writing.write(conn, fitting, of, leaf.sql, changes, refused)
        held_now = one(filled, f"SELECT count(*) FROM {of.kept}")
        assert written == held_now > 20


def test_a_row_that_the_table_refuses_is_kept_and_the_others_are_written(filled: str, tmp_path: Path) -> None:
    act(
        filled,
        'UPDATE core."Phone ä" SET e164 = NULL',
        'CREATE UNIQUE INDEX one_number ON core."Phone ä" (e164)',
        "ALTER TABLE core.\"Phone ä\" ADD CONSTRAINT here CHECK (state <> 'SP' OR note <> 'away') NOT VALID",
        "UPDATE core.\"Phone ä\" SET note = 'away' WHERE state = 'sp' AND number = '3333-4444' AND \"Person %\" < 'p3'",
    )
    away = one(filled, "SELECT count(*) FROM core.\"Phone ä\" WHERE note = 'away'")
    assert away > 5
    forth(filled, plan(tmp_path))
    listed = rows(filled, "SELECT reason, count(*) FROM lockgate.quarantine WHERE reason ~ 'refused' GROUP BY 1")
    refused = {str(reason): int(count) for reason, count in listed}
    assert refused.pop("state: refused by here") == away
    assert set(refused) <= {"e164: refused by one_number", "e164, state: refused by one_number"}
    held = one(filled, FIT)
    assert held == one(filled, FIT.replace("count(*)", "count(DISTINCT e164)"))
    assert held + sum(refused.values()) == 600
    assert held > 150


def test_a_table_in_partitions_and_one_without_rows(dsn: str, tmp_path: Path) -> None:
    act(
        dsn,
        "CREATE TABLE public.people (id bigint NOT NULL, at date NOT NULL, mail text, PRIMARY KEY (id, at)) "
        "PARTITION BY RANGE (at)",
        "CREATE TABLE public.people_1 PARTITION OF public.people FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
        "CREATE TABLE public.people_2 PARTITION OF public.people DEFAULT",
        "INSERT INTO public.people SELECT g, '2026-01-20'::date + g, ' Ana' || g || '@Example.org ' "
        "FROM generate_series(1, 40) g",
        "CREATE TABLE public.empty (id int PRIMARY KEY, mail text)",
    )
    step = """
      - normalise: mails
        table: public.people
        key: [id, at]
        columns: {mail: {as: email}}
      - normalise: none
        table: public.empty
        key: [id]
        columns: {mail: {as: email}}
        unique: [mail]
"""
    before = rows(dsn, "SELECT * FROM public.people ORDER BY id")
    folder = plan(tmp_path, step=step)
    forth(dsn, folder)
    assert rows(dsn, "SELECT mail FROM public.people ORDER BY id")[11] == ("ana12@example.org",)
    assert one(dsn, "SELECT count(*) FROM public.people WHERE mail ~ '^ana[0-9]+@example.org$'") == 40
    assert evidence(dsn, "normalised:none")["rows"] == 0
    back(dsn, folder)
    assert rows(dsn, "SELECT * FROM public.people ORDER BY id") == before


def test_by_a_role_that_may_only_read_and_update(filled: str, tmp_path: Path) -> None:
    role, folder = f"tidy_{secrets.token_hex(4)}", plan(tmp_path, "        unique: [e164]\n")
    act(
        filled,
        "DROP SCHEMA IF EXISTS lockgate CASCADE",
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE ON SCHEMA core TO {role}",
        f'GRANT SELECT, UPDATE (e164, state) ON core."Phone ä" TO {role}',
        f"DO $$BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO {role}', current_database()); END$$",
    )
    before = rows(filled, CONTENT)
    try:
        forth(make_conninfo(filled, user=role), folder)
        assert one(filled, FIT) == 600
        back(make_conninfo(filled, user=role), folder)
        assert rows(filled, CONTENT) == before
        act(filled, f'REVOKE UPDATE (e164) ON core."Phone ä" FROM {role}')
        with pytest.raises(PrivilegeMissing) as refused:
            forth(make_conninfo(filled, user=role), folder)
        assert "plan.yaml:" in str(refused.value.where)
        assert rows(filled, CONTENT) == before
    finally:
        act(filled, f"REASSIGN OWNED BY {role} TO CURRENT_USER", f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_normal_form_that_its_column_cannot_hold_is_unfit(filled: str, tmp_path: Path) -> None:
    act(filled, 'ALTER TABLE core."Phone ä" ALTER e164 TYPE varchar(12)')
    forth(filled, plan(tmp_path))
    by_reason = evidence(filled, "normalised:phones")["unfit_by_reason"]
    assert by_reason["e164: too long for the column"] == 400
    assert one(filled, FIT) == 200


def test_what_was_kept_of_a_person_is_erased_with_the_rows(filled: str, tmp_path: Path) -> None:
    retire = """  - id: retire
    steps:
      - archive: ['core."Phone ä"']
        retain: 90d
        purpose: a test of erasures
        basis: Art. 6(1)(c) GDPR
"""
    folder = plan(tmp_path, "        unique: [e164]\n", after=retire)
    forth(filled, folder)
    number = one(filled, "SELECT id FROM lockgate.normalisations")
    kept = f"SELECT count(*) FROM lockgate.normalised_{number} WHERE k1 "
    listed = "SELECT count(*) FROM lockgate.quarantine WHERE source ->> 'Person %' "
    others = one(filled, f"{kept} <> 'p7'"), one(filled, f"{listed} <> 'p7'")
    theirs = one(filled, f"{kept} = 'p7'") + one(filled, f"{listed} = 'p7'")
    assert theirs > 10
    wanted = erasure.Wanted("shop", (), "Person %", "p7", "request 7", "Ana")
    done = erasure.erase(sessions(filled, QUICK), wanted, progress=Silent(), stop=threading.Event())
    assert done.rows == 12
    assert one(filled, f"{kept} = 'p7'") == one(filled, f"{listed} = 'p7'") == 0
    assert (one(filled, f"{kept} <> 'p7'"), one(filled, f"{listed} <> 'p7'")) == others
    assert evidence(filled, "erased:core.Phone ä")["kept_values"] == theirs


@pytest.mark.parametrize(
    ("was", "now", "what"),
    [
        ("[e164]", "", "no unique index"),
        ("key: ['\"Person %\"', nr]", "key: [nr]", "no unique index on exactly its key"),
        ("from: number", "from: nummer", "no column nummer; did you mean `?number"),
        ("from: number", "from: nr", "holds uuid, and no text"),
        ("region: BR", "region: XX", "no region XX"),
        ('core."Phone ä"', "core.phone", "no table"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_done(
    filled: str, tmp_path: Path, was: str, now: str, what: str
) -> None:
    before = rows(filled, CONTENT)
    if now:
        folder = plan(tmp_path, step=STEP.replace(was, now))
    else:
        act(filled, 'ALTER TABLE core."Phone ä" DROP CONSTRAINT "Phone ä_pkey"')
        folder = plan(tmp_path)
    with pytest.raises(PlanError, match=what) as refused:
        forth(filled, folder)
    assert "plan.yaml:" in str(refused.value.where)
    assert rows(filled, CONTENT) == before


def test_triggers_must_be_acknowledged(filled: str, tmp_path: Path) -> None:
    act(
        filled,
        "CREATE FUNCTION core.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        'CREATE TRIGGER t BEFORE UPDATE ON core."Phone ä" FOR EACH ROW EXECUTE FUNCTION core.f()',
    )
    with pytest.raises(PlanError, match="Trigger t"):
        forth(filled, plan(tmp_path / "one"))
    forth(filled, plan(tmp_path / "two", "        acknowledge_triggers: [t]\n"))
    assert one(filled, FIT) == 600


def test_a_step_that_was_changed_after_it_began_is_not_gone_on_with(filled: str, tmp_path: Path) -> None:
    folder = plan(tmp_path)
    assert call(f"{PLANS}:forth", filled, folder, fault="normalise.begun").killed
    expire(filled)
    plan(tmp_path, "        on_unfit: clear\n")
    with pytest.raises(LockgateError, match="changed"):
        forth(filled, folder)


def test_the_plan_says_what_would_be_done(filled: str, tmp_path: Path) -> None:
    loaded = load_plan(Path(plan(tmp_path, "        unique: [state, e164]\n")))
    step = loaded.plan.phases[0].steps[0]
    with psycopg.connect(filled) as conn:
        said = REGISTRY[type(step)].describe(conn, loaded, loaded.plan.phases[0], step)
    assert "e164: number as e164 (BR where no country is said)" in said
    assert "state: state as uf" in said
    assert any("(state, e164)" in line for line in said)
    assert any("ROW EXCLUSIVE" in line for line in said)


@pytest.mark.sampled
@pytest.mark.one_server
def test_killed_anywhere_the_next_run_finishes_or_takes_back(filled: str, tmp_path: Path, due: Due) -> None:
    before = rows(filled, CONTENT)
    folder = plan(tmp_path / "plan", "        unique: [e164]\n")
    there = call(f"{PLANS}:forth", filled, folder, log=tmp_path / "there")
    assert there.code == 0, there.err
    after, listed = rows(filled, CONTENT), rows(filled, QUARANTINE)
    gone = call(f"{PLANS}:back", filled, folder, log=tmp_path / "gone")
    assert gone.code == 0, gone.err
    points = [point for point in every_point(there.points, 3) if point.startswith("normalise.")]
    names = {point.split(":")[0] for point in points}
    assert names == {
        f"normalise.{name}" for name in ("begun", "planned", "batch", "batch_done", "written", "pass", "listed")
    }
    for point in due(points):
        for finish in (forth, back):
            assert call(f"{PLANS}:forth", filled, folder, fault=point).killed, point
            expire(filled)
            finish(filled, folder)
            if finish is forth:
                assert rows(filled, CONTENT) == after, point
                assert rows(filled, QUARANTINE) == listed, point
                back(filled, folder)
            assert rows(filled, CONTENT) == before, point
    points = [point for point in every_point(gone.points, 3) if point.startswith("normalise.")]
    assert {point.split(":")[0] for point in points} == {
        f"normalise.{n}" for n in ("gathered", "returned", "forgotten")
    }
    for point in due(points):
        forth(filled, folder)
        assert call(f"{PLANS}:back", filled, folder, fault=point).killed, point
        expire(filled)
        back(filled, folder)
        assert rows(filled, CONTENT) == before, point
