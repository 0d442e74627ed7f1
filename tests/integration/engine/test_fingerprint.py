from __future__ import annotations

import psycopg
import pytest

from lockgate.engine.fingerprint import Fingerprint, fingerprint
from lockgate.ledger import store

SCHEMA = """
CREATE SCHEMA s;
CREATE TYPE s.mood AS ENUM ('sad', 'ok');
CREATE DOMAIN s.positive AS int CHECK (VALUE > 0);
CREATE SEQUENCE s.numbers;
CREATE TABLE s.t (id bigint PRIMARY KEY, n int DEFAULT 1, m s.mood, p s.positive);
CREATE INDEX t_n ON s.t (n);
CREATE VIEW s.v AS SELECT id FROM s.t;
CREATE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER tr BEFORE INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION s.f();
CREATE POLICY pol ON s.t USING (n > 0);
CREATE TABLE s.parts (x int) PARTITION BY RANGE (x);
"""


def of(dsn: str) -> Fingerprint:
    with psycopg.connect(dsn, autocommit=True) as conn:
        return fingerprint(conn)


def change(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement.encode())


@pytest.fixture
def filled(dsn: str) -> str:
    change(dsn, SCHEMA)
    return dsn


@pytest.mark.parametrize(
    ("statement", "parts"),
    [
        ("ALTER TABLE s.t ADD COLUMN extra int", {"columns of schema s"}),
        ("ALTER TABLE s.t ALTER n SET DEFAULT 2", {"columns of schema s"}),
        ("ALTER TABLE s.t ALTER n SET NOT NULL", {"columns of schema s"}),
        ("ALTER TABLE s.t ADD CONSTRAINT c CHECK (n > 0)", {"constraints of schema s"}),
        ("DROP INDEX s.t_n", {"indexes of schema s"}),
        ("DROP INDEX s.t_n; CREATE INDEX t_n ON s.t (n) WHERE n > 1", {"indexes of schema s"}),
        ("CREATE OR REPLACE VIEW s.v AS SELECT id FROM s.t WHERE n > 1", {"views of schema s"}),
        (
            "CREATE OR REPLACE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            {"functions of schema s"},
        ),
        ("ALTER TABLE s.t DISABLE TRIGGER tr", {"triggers of schema s"}),
        ("ALTER POLICY pol ON s.t USING (n > 1)", {"policies of schema s"}),
        ("ALTER TABLE s.t ENABLE ROW LEVEL SECURITY", {"tables of schema s"}),
        ("ALTER TYPE s.mood ADD VALUE 'good'", {"types of schema s"}),
        ("ALTER DOMAIN s.positive DROP CONSTRAINT positive_check", {"constraints of schema s"}),
        ("ALTER SEQUENCE s.numbers INCREMENT 2", {"sequences of schema s"}),
        ("CREATE RULE r AS ON DELETE TO s.t DO INSTEAD NOTHING", {"rules of schema s"}),
        ("CREATE SCHEMA another", {"schemas"}),
    ],
)
def test_sees(filled: str, statement: str, parts: set[str]) -> None:
    before = of(filled)
    change(filled, statement)
    after = of(filled)
    assert after.digest != before.digest
    assert set(after.differs(before.parts)) >= parts  # from PostgreSQL 18 on NOT NULL is a constraint too


@pytest.mark.parametrize(
    "statements",
    [
        ("INSERT INTO s.t VALUES (1)", "UPDATE s.t SET n = 5", "VACUUM ANALYZE s.t", "SELECT nextval('s.numbers')"),
        ("CREATE TABLE s.part1 PARTITION OF s.parts FOR VALUES FROM (1) TO (2)",),
        ("CREATE TEMP TABLE x (a int)",),
        ("REINDEX INDEX s.t_n",),
        ("GRANT SELECT ON s.t TO PUBLIC",),
    ],
)
def test_does_not_see(filled: str, statements: tuple[str, ...]) -> None:
    before = of(filled)
    change(filled, *statements)
    assert of(filled) == before


def test_does_not_see_lockgate(filled: str) -> None:
    before = of(filled)
    with psycopg.connect(filled, autocommit=True) as conn:
        store.install(conn)
        conn.execute(
            "CREATE FUNCTION lockgate.log_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
            "CREATE TRIGGER lockgate_log AFTER INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION lockgate.log_it()"
        )
    assert of(filled) == before


def test_does_not_depend_on_the_session(filled: str) -> None:
    before = of(filled)
    with psycopg.connect(filled, autocommit=True) as conn:
        conn.execute("SET search_path = s, public; SET TimeZone = 'Asia/Tokyo'")
        assert fingerprint(conn) == before
