"""The doctor says what is wrong and what to do; each finding is made here by the fault itself."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.acceptance.cli.processes import Command, running
from tests.acceptance.shop import Shop


@pytest.fixture
def followed(shop: Shop) -> Iterator[tuple[Shop, Command]]:
    """A shop whose subscribers are kept in step by a service."""
    shop.run("apply", "{plan}", "--to", "subscribers")
    with running(shop, "sync", "{plan}") as sync:
        sync.await_words("applies the changes")
        yield shop, sync


def findings(shop: Shop, *words: str, code: int = 1) -> dict[str, tuple[str, str]]:
    """What is wrong: area -> what and what to do."""
    found = shop.object("doctor", "{plan}", *words, code=code)["findings"]
    return {item["area"]: (item["what"], item["hint"]) for item in found if item["verdict"] != "ok"}


def test_a_database_before_its_first_plan_is_well(shop: Shop) -> None:
    said = shop.run("doctor", "{plan}").stdout
    assert "there is none yet; `lockgate apply` makes it" in said
    assert said.endswith("ok, 0 to know, 0 to mend.\n")


def test_a_plan_under_way_is_well(followed: tuple[Shop, Command]) -> None:
    shop, _ = followed
    said = shop.run("doctor", "{plan}").stdout
    for words in (
        "the hash chain is sound",
        "shop.subscribers is live",
        "every table that is followed has its triggers",
        "no object of Lockgate is left over",
        "free: no runner is at work",
        "all indexes are valid",
    ):
        assert words in said
    assert findings(shop, code=0) == {}


def test_faults_of_the_sync(followed: tuple[Shop, Command]) -> None:
    shop, sync = followed
    sync.process.terminate()
    sync.end()
    [(trigger,)] = shop.sql(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'old.customers'::regclass AND tgname LIKE 'lockgate%update'"
    )
    shop.sql(f"ALTER TABLE old.customers DISABLE TRIGGER {trigger}")
    assert f"trigger {trigger} of old.customers is not enabled" in findings(shop)["triggers"][0]
    shop.sql(f"DROP TRIGGER {trigger} ON old.customers")
    assert "old.customers has lost its logging triggers" in findings(shop)["triggers"][0]


def test_a_renamed_column_stops_the_application(shop: Shop) -> None:
    shop.run("apply", "{plan}", "--to", "subscribers")
    shop.sql("ALTER TABLE old.customers RENAME COLUMN email TO mail")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        shop.sql("INSERT INTO old.customers (name, mail) VALUES ('x', 'x@example.com')")
    what, hint = findings(shop)["triggers"]
    assert what == (
        "old.customers: a column was renamed to mail, and the logging triggers read it: the application's writes fail"
    )
    assert hint.startswith("Name it as it was before")


def test_what_is_left_over(shop: Shop) -> None:
    shop.run("apply", "{plan}", "--to", "model")
    shop.sql("CREATE TABLE lockgate.recheck_99 (a int); CREATE TABLE lockgate.log_98_a (a int)")
    shop.sql("CREATE FUNCTION lockgate.log_98_insert() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    said = shop.run("doctor", "{plan}", code=1).stdout
    assert "Do: Remove it: DROP TABLE lockgate.recheck_99;" in said
    assert "Do: Remove it: DROP TABLE lockgate.log_98_a;" in said
    assert "Do: Remove it: DROP FUNCTION lockgate.log_98_insert() CASCADE;" in said


def test_an_index_that_serves_nothing(shop: Shop) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation):
        shop.sql("CREATE UNIQUE INDEX CONCURRENTLY half_built ON old.orders (status)")
    assert "index old.half_built of old.orders is invalid" in findings(shop)["indexes"][0]


def test_a_chain_that_was_tampered_with(shop: Shop) -> None:
    shop.run("apply", "{plan}", "--to", "model")
    head = shop.object("report", "{plan}")["head"]
    shop.sql("ALTER TABLE lockgate.chain DISABLE TRIGGER ALL; DELETE FROM lockgate.chain WHERE seq = 2")
    said = shop.run("doctor", "{plan}", "--head", head, code=1).stdout
    assert "fail  chain:     Row 2 is missing" in said
    assert "fail  chain:     Trigger chain_append_only" in said


def test_what_a_plan_left_unfinished(shop: Shop) -> None:
    file = shop.plan / "sql" / "new_model.sql"
    file.write_text("CREATE TABLE nowhere.t (a int);")
    assert shop.run("apply", "{plan}", code=1)
    shop.run("pause", "{plan}", "--reason", "lunch")
    found = findings(shop)
    assert found["phases"] == ("phase model of shop failed", "`lockgate status` says why; then `lockgate apply`.")
    assert found["control"][0] == "plan shop is paused by postgres: lunch"
    status = shop.run("status", "{plan}", code=1).stdout
    assert "Waiting: phase model failed: " in status
    assert 'schema "nowhere" does not exist' in status
    assert "ALARM" not in status


def test_a_transaction_that_stands_in_the_way(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate.doctor.server.OLD_TRANSACTION", 0.0)
    with psycopg.connect(shop.dsn) as idle:
        idle.execute("SELECT count(*) FROM old.customers")
        what, hint = findings(shop)["sessions"]
        assert f"process {idle.info.backend_pid} of role" in what
        assert "(idle in transaction) has had a transaction open for" in what
        assert f"pg_terminate_backend({idle.info.backend_pid})" in hint


def test_a_role_that_may_not(shop: Shop) -> None:
    name = f"poor_{shop.dsn.rsplit('lockgate_test_')[1][:12]}"
    shop.sql(f"CREATE ROLE {name} LOGIN PASSWORD 'let me in'")
    try:
        poor = psycopg.conninfo.make_conninfo(shop.dsn, user=name, password="let me in")
        found = Shop(poor, shop.plan)
        looked = found.run("doctor", "{plan}", code=1).stdout
        assert f"fail  role:      role {name} may not create schema lockgate" in looked
        assert f'GRANT pg_read_all_stats TO "{name}";' in looked
        said = found.run("apply", "{plan}", code=1)
        assert "GRANT CREATE ON DATABASE" in said.stderr
        assert "let me in" not in said.output
    finally:
        shop.sql(f"DROP ROLE {name}")
