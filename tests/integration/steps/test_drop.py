"""The drop step: for good, and only what was kept, unchanged, unused and backed up."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from lockgate.catalog import document
from lockgate.engine import undoing
from lockgate.engine.uninstall import uninstall
from lockgate.errors import (
    AwaitingTime,
    CheckFailed,
    ExitCode,
    GateRefused,
    LockgateError,
    LockNotAcquired,
    PlanError,
    RollbackRefused,
)
from lockgate.ledger import audit
from lockgate.preview import preview
from tests.copies import EMPTY
from tests.integration.engine.plans import one, rows, write_plan
from tests.integration.steps.retiring import (
    ALLOWED,
    CUSTOMER,
    DEPENDENTS,
    DROPPED,
    NAMED,
    PLAN,
    Shop,
    at,
    listed,
    nothing_is_dropped,
    schema,
)

pytestmark = pytest.mark.one_server


@pytest.fixture
def shop(dsn: str, tmp_path: Path) -> Shop:
    return Shop(dsn, tmp_path)


def test_tables_are_dropped_and_the_log_says_all_of_it(shop: Shop) -> None:
    shop.archive()
    was = {row[0]: row[1:] for row in rows(shop.dsn, "SELECT name, content, archived_at FROM lockgate.archived")}
    told = shop.apply()
    assert rows(shop.dsn, "SELECT to_regclass('archive.phones'), to_regclass('core.phones')") == [(None, None)]
    assert rows(shop.dsn, DROPPED) == [
        ("core", 'Cust"omer ä', 2, True, "archive"),
        ("core", "phones", 3, True, "archive"),
    ]
    log = rows(shop.dsn, "SELECT name, content, archived_at, retain_until, dropped_at, backups FROM lockgate.dropped")
    for name, content, archived_at, retain_until, dropped_at, backups in log:
        assert (content, archived_at) == was[name]
        assert retain_until == archived_at + timedelta(days=90)
        assert dropped_at > retain_until
        assert [(one["id"], one["archive_only"]) for one in backups] == [(1, False), (2, True)]
    freed = one(shop.dsn, "SELECT payload->'facts'->'given_back' FROM lockgate.chain WHERE step = 'drop-1' "
                "AND payload->>'state' = 'done'")  # fmt: skip
    assert freed > 0
    assert any("2 tables of 65,536 bytes dropped; the database went from " in line for line in told)
    [(query, fact)] = rows(
        shop.dsn,
        "SELECT payload->>'query', payload->'result' FROM lockgate.chain "
        "WHERE payload->>'name' = 'dropped:core.phones'",
    )
    assert query == 'DROP TABLE "archive"."phones" RESTRICT'
    assert (fact["table"], fact["rows"], fact["digest"]) == ("archive.phones", 3, was["phones"][0])
    assert rows(shop.dsn, "SELECT FROM lockgate.chain WHERE payload->>'name' = 'reclaimed:drop-1'") == [()]
    with psycopg.connect(shop.dsn) as conn:
        assert audit.verify(conn) == []


def test_the_definition_in_the_log_makes_the_table_anew(shop: Shop) -> None:
    shop.act("CREATE SCHEMA more; CREATE TABLE more.live (id int PRIMARY KEY)")
    shop.archive(
        "ALTER TABLE archive.phones ADD live int REFERENCES more.live, ADD UNIQUE (phone, id), "
        'ADD "a b" text COLLATE "C" DEFAULT \'x\', ADD twice int GENERATED ALWAYS AS (id * 2) STORED, '
        "SET (fillfactor = 50), ENABLE ROW LEVEL SECURITY",
        "COMMENT ON COLUMN archive.phones.phone IS 'it''s a number'",
        "CREATE STATISTICS archive.both ON id, customer FROM archive.phones",
        # Their rows have other columns now; what is asked here is how they are made.
        "ALTER TABLE archive.phones DISABLE TRIGGER lockgate_archived; DELETE FROM archive.phones",
        "ALTER TABLE archive.phones ENABLE ALWAYS TRIGGER lockgate_archived",
    )
    shop.act("UPDATE lockgate.archived SET (row_count, content) = (0, 'sums:0:0') WHERE name = 'phones'")
    with psycopg.connect(shop.dsn) as conn:
        conn.execute("DROP TRIGGER lockgate_archived ON archive.phones")
        conn.execute(f"DROP TRIGGER lockgate_archived ON {CUSTOMER}".encode())
        before = document.read(conn, passing=False).digest
        conn.rollback()
    shop.apply()
    shop.act("DROP VIEW archive.safe_to_drop, archive.size_report")
    for definition, dependents in rows(
        shop.dsn, "SELECT definition, dependents FROM lockgate.dropped ORDER BY id DESC"
    ):
        shop.act(definition, *(each["definition"] for each in dependents))
    shop.rebuild_views()
    assert schema(shop.dsn) == before


def test_it_waits_until_the_retention_is_over(shop: Shop) -> None:
    shop.archive()
    shop.act("UPDATE lockgate.archived SET retain_until = '2026-05-02 03:04:05Z' WHERE name = 'phones'")
    with pytest.raises(AwaitingTime) as caught:
        shop.apply()
    assert caught.value.exit_code is ExitCode.AWAITING_TIME
    assert caught.value.what == "Phase drop may not start: core.phones must be kept until 2026-05-02 03:04:05 UTC"
    assert nothing_is_dropped(shop)
    shop.clock.advance(timedelta(days=40))
    shop.apply()
    assert len(rows(shop.dsn, DROPPED)) == 2


def test_a_retention_that_was_made_longer_after_the_gates_holds(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.archive()
    longer = "UPDATE lockgate.archived SET retain_until = '2027-05-02 03:04:05Z' WHERE name = 'phones'"
    at("drop.reading", lambda: shop.act(longer), monkeypatch)
    with pytest.raises(AwaitingTime, match=r"core.phones must be kept until 2027-05-02 03:04:05 UTC"):
        shop.apply()
    assert [row[1] for row in rows(shop.dsn, DROPPED)] == ['Cust"omer ä']


OPEN = "ALTER TABLE archive.phones DISABLE TRIGGER lockgate_archived"
SHUT = "ALTER TABLE archive.phones ENABLE ALWAYS TRIGGER lockgate_archived"


@pytest.mark.parametrize(
    ("change", "what", "why"),
    [
        (
            (OPEN, "UPDATE archive.phones SET phone = '2' WHERE phone IS NULL", SHUT),
            "core.phones changed since it was archived",
            "It has other content in 3 rows.",
        ),
        (
            (OPEN, "DELETE FROM archive.phones WHERE phone IS NULL", SHUT),
            "core.phones changed since it was archived",
            "It has 2 rows instead of 3.",
        ),
        (
            (OPEN,),
            "core.phones may have changed since it was archived",
            "Its trigger lockgate_archived, which refuses writes, is gone or switched off.",
        ),
        (
            (
                "SET allow_system_table_mods = on",
                "INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) "
                "VALUES (1, 'archive.phones'::regclass, 'r')",
            ),
            "core.phones may have changed since it was archived",
            "A subscription writes to it, which no trigger refuses.",
        ),
    ],
)
def test_a_table_that_was_changed_stays(shop: Shop, change: tuple[str, ...], what: str, why: str) -> None:
    shop.archive(*change)
    with pytest.raises(CheckFailed) as caught:
        shop.apply()
    assert (caught.value.what, caught.value.why) == (what, why)
    assert str(caught.value.where).startswith("plan.yaml:19:39")
    assert nothing_is_dropped(shop)
    shop.rollback()
    assert one(shop.dsn, "SELECT state FROM lockgate.phases WHERE phase = 'drop'") == "undone"


def test_a_row_that_is_changed_between_reading_and_dropping_is_seen(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.archive()
    change = (OPEN, "UPDATE archive.phones SET phone = '2' WHERE phone IS NULL", SHUT)
    at("drop.ready", lambda: shop.act(*change), monkeypatch)
    with pytest.raises(CheckFailed, match=r"core.phones changed since it was archived"):
        shop.apply()
    assert [row[1] for row in rows(shop.dsn, DROPPED)] == ['Cust"omer ä']
    [gone, left] = preview(shop.loaded, shop.sessions, shop.clock).phases[2].steps[0].lines
    assert gone == 'archive.Cust"omer ä is gone already'
    assert left.startswith("archive.phones, which was core.phones, is dropped for good")
    with pytest.raises(RollbackRefused, match="it dropped 1 table for good"):
        shop.rollback()


def test_a_reader_in_the_way_is_named_and_the_next_run_finishes(shop: Shop) -> None:
    shop.archive()
    with psycopg.connect(shop.dsn, application_name="somebody") as reader:
        reader.execute("LOCK TABLE archive.phones IN ACCESS SHARE MODE")
        with pytest.raises(LockNotAcquired) as caught:
            shop.apply()
        assert "somebody" in str(caught.value.why)
    assert [row[1] for row in rows(shop.dsn, DROPPED)] == []
    shop.apply()
    assert len(rows(shop.dsn, DROPPED)) == 2


def test_a_table_that_was_vacuumed_meanwhile_is_read_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.archive()
    at("drop.ready", lambda: shop.act("VACUUM FULL archive.phones"), monkeypatch)
    shop.apply()
    assert len(rows(shop.dsn, DROPPED)) == 2


def test_another_table_of_the_archive_stays_and_its_views_tell_of_all(shop: Shop) -> None:
    shop.archive()
    shop.apply()
    told = "SELECT table_name, safe_to_drop, dropped_at IS NULL FROM archive.safe_to_drop ORDER BY 1"
    assert rows(shop.dsn, told) == [('Cust"omer ä', None, False), ("faxes", False, True), ("phones", None, False)]
    sizes = "SELECT table_name, rows, bytes_now > 0, bytes_when_dropped > 0 FROM archive.size_report ORDER BY 1"
    assert rows(shop.dsn, sizes) == [
        ('Cust"omer ä', 2, None, True),
        ("faxes", 1, True, None),
        ("phones", 3, None, True),
    ]
    assert rows(shop.dsn, "SELECT id FROM archive.faxes") == [(1,)]


# --- what must be asked before ----------------------------------------------------------------------------------

UNUSED = '      - unused: {tables: [archive.phones, \'archive."Cust""omer ä"\'], for: 30d'
ALONE = 'backup: {within: 40d, tables: ["archive.*"]}'


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("unused: {tables: [archive.phones,", "unused: {tables: [core.phones,", "It has no `unused` gate over it"),
        ("backup: {within: 40d}", "query: SELECT 1, equals: 1", "It has no `backup` gate (restored: true) for a last"),
        (ALONE, "query: SELECT 1, equals: 1", "It has no `backup` gate (restored: true) for a backup of nothing but"),
        (ALONE, ALONE.replace("]}", "], restored: false}"), "for a backup of nothing but the archive"),
        (ALONE, ALONE.replace("archive.*", "archive.faxes"), "for a backup of nothing but the archive"),
        (ALONE, ALONE.replace('"]', '", "core.*"]'), "for a backup of nothing but the archive"),
    ],
)
def test_a_phase_that_does_not_ask_enough_is_refused(shop: Shop, old: str, new: str, what: str) -> None:
    text = PLAN.format(named="", allow="")
    assert old in text
    shop.loaded = write_plan(shop.folder / "plan", text.replace(old, new if "{" in new else f"{{{new}}}"))
    with pytest.raises(PlanError) as caught:
        shop.apply()
    assert "and does not ask enough before" in caught.value.what
    assert what in str(caught.value.why)
    assert one(shop.dsn, "SELECT to_regnamespace('archive')") is None, "before anything is done"


@pytest.mark.parametrize(
    ("names", "what"),
    [
        ("[core.phonse]", "No earlier phase of this plan archives core.phonse; did you mean `core.phones`?"),
        ("[core.phones, archive.phones]", "archive.phones is named twice"),
    ],
)
def test_only_what_the_plan_archives_before_can_be_dropped(shop: Shop, names: str, what: str) -> None:
    text = PLAN.format(named="", allow="")
    names_before = '[\'core."Cust""omer ä"\', archive.phones]'
    shop.loaded = write_plan(shop.folder / "plan", text.replace(f"drop: {names_before}", f"drop: {names}"))
    with pytest.raises(PlanError) as caught:
        shop.apply()
    assert what in caught.value.what


def test_both_backups_must_be_there_and_not_one_for_both_gates(shop: Shop) -> None:
    shop.archive()
    shop.act("DELETE FROM lockgate.backups WHERE id = 2")
    with pytest.raises(CheckFailed) as caught:
        shop.apply()
    assert caught.value.what == 'core.Cust"omer ä is not in a backup of nothing but the archive, as it is now'
    assert nothing_is_dropped(shop)
    shop.back_up("archive.*", name="again")
    shop.sample()
    shop.apply()


def test_backups_must_hold_the_rows_as_they_are(shop: Shop) -> None:
    shop.archive()
    changed = "jsonb_set(tables, '{archive.phones,hash}', '\"sums:1\"')"
    shop.act(f"UPDATE lockgate.backups SET tables = {changed} WHERE id = 1")
    with pytest.raises(CheckFailed) as caught:
        shop.apply()
    assert caught.value.why == "Backup 1 holds other rows of archive.phones than it has now."
    assert nothing_is_dropped(shop)


def test_a_read_after_the_gates_is_a_use(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The phase has begun, and was stopped before anything was dropped."""
    shop.archive()
    changed = "UPDATE lockgate.backups SET tables = '{}' WHERE id = 1"
    kept = one(shop.dsn, "SELECT tables::text FROM lockgate.backups WHERE id = 1")
    at("drop.reading", lambda: shop.act(changed), monkeypatch)
    with pytest.raises(CheckFailed, match="is not in the last backup"):
        shop.apply()
    shop.act(f"UPDATE lockgate.backups SET tables = '{kept}' WHERE id = 1")
    with psycopg.connect(shop.dsn, autocommit=True) as other:
        other.execute("SELECT FROM archive.phones")
        other.execute("SELECT pg_stat_force_next_flush()")
    with pytest.raises(GateRefused) as caught:
        shop.apply()
    assert "archive.phones: 1 sequential scans between" in str(caught.value.why)
    shop.sample()
    shop.apply()


# --- the way back -----------------------------------------------------------------------------------------------


def test_there_is_no_way_back_and_that_is_said_before_anything_is_taken_back(shop: Shop) -> None:
    shop.archive()
    shop.apply()
    before = schema(shop.dsn)
    for options in ({}, {"to": undoing.BEGINNING}, {"to": "retire", "lose_rows": True}):
        with pytest.raises(RollbackRefused) as caught:
            shop.rollback(**options)
        assert caught.value.what == "Phase drop cannot be taken back: it dropped 2 tables for good"
        assert "core.phones on 2026-04-06" in str(caught.value.why)
        assert "backup 2 of the archive alone" in str(caught.value.why)
        assert f"`lockgate restore {shop.folder}/alone/shop-" in str(caught.value.hint)
        assert "--table archive.phones`" in str(caught.value.hint)
    assert schema(shop.dsn) == before
    assert rows(shop.dsn, "SELECT FROM lockgate.phases WHERE state <> 'done'") == []


def test_with_nothing_dropped_all_is_taken_back(shop: Shop) -> None:
    shop.plan(allow="core.late")
    shop.archive("CREATE VIEW core.late AS SELECT FROM archive.phones")
    with pytest.raises(PlanError):
        shop.apply()
    shop.act("DROP VIEW core.late")
    told = shop.rollback(to=undoing.BEGINNING)
    assert any("nothing was dropped" in line for line in told)
    assert one(shop.dsn, "SELECT count(*) FROM core.phones") == 3
    assert one(shop.dsn, "SELECT to_regnamespace('archive')") is None


def test_the_log_stays(shop: Shop) -> None:
    shop.archive()
    shop.apply()
    for statement in (
        "DELETE FROM lockgate.dropped",
        "UPDATE lockgate.dropped SET name = ''",
        "TRUNCATE lockgate.dropped",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            shop.act("SET session_replication_role = replica", statement)
    shop.act("DELETE FROM lockgate.archived")
    with pytest.raises(LockgateError, match=r"The ledger has the only log of tables that were dropped: core.Cust"):
        uninstall(shop.sessions)


@pytest.mark.parametrize("template", [EMPTY])  # the ledger is to be the role's own
def test_an_ordinary_owner_can_do_it(dsn: str, tmp_path: Path) -> None:
    role = f"owner_{secrets.token_hex(4)}"
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN".encode())
        admin.execute(f"GRANT CREATE ON DATABASE {admin.info.dbname} TO {role}".encode())
        try:
            shop = Shop(make_conninfo(dsn, user=role), tmp_path)
            shop.plan(listed([*NAMED]), listed(ALLOWED))
            shop.archive(*DEPENDENTS)
            shop.apply()
            assert len(rows(dsn, DROPPED)) == 2
        finally:
            admin.execute(f"DROP OWNED BY {role} CASCADE".encode())
            admin.execute(f"DROP ROLE {role}".encode())
