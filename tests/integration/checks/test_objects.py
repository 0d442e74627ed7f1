"""Everything that the check `objects` finds beside what is simply there or not."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql

from lockgate.checks import REGISTRY
from lockgate.errors import LockgateError
from lockgate.plan.models import Objects, ObjectsCheck
from tests.integration.checks.checking import check

SCHEMA = """
CREATE SCHEMA s;
CREATE TYPE s.role AS ENUM ('user', 'it''s');
CREATE DOMAIN s.positive AS int CHECK (VALUE > 0);
CREATE SEQUENCE s.numbers;
CREATE TABLE s."Customer" (id uuid PRIMARY KEY, phone text UNIQUE, email text, at timestamptz);
CREATE TABLE s."Lead" (id int PRIMARY KEY, customer_id uuid REFERENCES s."Customer" ON DELETE SET NULL, n int NOT NULL);
CREATE TABLE s.two (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE s.refers (x int, y int, CONSTRAINT couple FOREIGN KEY (x, y) REFERENCES s.two ON DELETE CASCADE);
ALTER TABLE s.refers ADD CONSTRAINT late FOREIGN KEY (y) REFERENCES s."Lead" NOT VALID;
CREATE VIEW s.v AS SELECT 1;
CREATE MATERIALIZED VIEW s.mv AS SELECT 1 WITH NO DATA;
CREATE FUNCTION s.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.n := 5; RETURN NEW; END';
CREATE TRIGGER touched BEFORE UPDATE OF n ON s."Lead" FOR EACH ROW EXECUTE FUNCTION s.touch();
CREATE FUNCTION s.plus(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT a + b';
CREATE FUNCTION s.clean() RETURNS bigint LANGUAGE sql AS
    'WITH gone AS (DELETE FROM s."Lead" RETURNING 1) SELECT count(*) FROM gone';
CREATE FUNCTION s.rows() RETURNS SETOF int LANGUAGE sql AS 'SELECT generate_series(1, 3)';
CREATE FUNCTION s.fails() RETURNS int LANGUAGE sql AS 'SELECT 1/0';
CREATE PROCEDURE s.proc(a int) LANGUAGE sql AS 'DELETE FROM s."Lead"';
INSERT INTO s."Lead" VALUES (1, NULL, 1), (2, NULL, 2);
"""


@pytest.fixture
def filled(dsn: str, conn: Connection[Any]) -> str:
    conn.execute(SCHEMA)
    return dsn


def problems(dsn: str, **wanted: Any) -> list[str]:
    result = check(dsn, ObjectsCheck(objects=Objects.model_validate(wanted)))
    found = [problem for item in result.evidence for problem in item.result["problems"]]
    assert result.passed is not bool(found)
    assert result.what == ("; ".join(found) if found else result.what)
    return found


def test_all_is_as_it_must_be(filled: str, conn: Connection[Any]) -> None:
    lead = 's."Lead"'
    assert (
        problems(
            filled,
            extensions=["plpgsql"],
            types=["s.positive", "s.role"],
            enums={"s.role": ["user", "it's"]},
            columns={f"{lead}.customer_id": "uuid NULL", f"{lead}.n": "int not null", f"{lead}.id": "integer"},
            foreign_keys={
                f"{lead}.customer_id": {
                    "references": 's."Customer"',
                    "on_delete": "set null",
                    "on_update": "no action",
                },
                "s.refers.(x, y)": {"references": "s.two", "on_delete": "cascade"},
            },
            triggers=[f"{lead}.touched"],
            fires={f"{lead}.touched": f"UPDATE {lead} SET n = 3"},
            views=["s.v"],
            sequences=["s.numbers"],
            functions=["s.plus", "s.plus(int, int)", "s.proc(int)"],
            calls={
                "s.plus(2)": 3,
                "s.plus(2, 3)": "5",
                "s.clean()": 2,
                "s.rows()": None,
                "s.proc(1)": None,
                "pg_catalog.length('a;b')": 3,
            },
            count={"s": {"tables": 4, "foreign_keys": 3, "triggers": 1, "views": 2, "types": 2, "sequences": 1}},
            at_least={"s": {"indexes": 4, "functions": 6}},
        )
        == []
    )
    assert conn.execute('SELECT count(*), max(n) FROM s."Lead"').fetchone() == (2, 2), "all was rolled back"


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"extensions": ["plpgsq"]}, ["extension plpgsq is not there (there is plpgsql)"]),
    ({"types": ["s.rule"]}, ["type s.rule is not there (there is s.role)"]),
    ({"enums": {"s.role": ["it's", "user"]}}, ["enum s.role has the labels user, it's, not it's, user"]),
    (
        {"enums": {"s.positive": ["a"], "s.rol": ["a"]}},
        ["enum s.positive is no enum", "enum s.rol is not there (there is s.role)"],
    ),
    ({"tables": ["s.customer"]}, ['table s.customer is not there (there is s."Customer")']),
    ({"columns": {'s."Lead".n': "int null"}}, ['column s."Lead".n refuses NULL, and must take it']),
    (
        {"columns": {'s."Lead".customer_id': "text not null", "s.lead.n": "int"}},
        [
            'column s."Lead".customer_id is of type uuid, not text',
            'column s."Lead".customer_id takes NULL, and must refuse it',
            'column s.lead.n is not there (there is s."Lead".n)',
        ],
    ),
    (
        {"foreign_keys": {'s."Lead".customer_id': {"references": "s.two", "on_delete": "restrict"}}},
        [
            'foreign key Lead_customer_id_fkey of s."Lead".customer_id refers to s."Customer", not s.two',
            'foreign key Lead_customer_id_fkey of s."Lead".customer_id is ON DELETE SET NULL, not RESTRICT',
        ],
    ),
    (
        {"foreign_keys": {'s."Lead".customer_ids': {"references": "s.two"}}},
        ['foreign key of s."Lead".customer_ids is not there (there is s."Lead".customer_id)'],
    ),
    (
        {"foreign_keys": {"s.refers.y": {"references": 's."Lead"'}}},
        ["foreign key late of s.refers.y is not validated"],
    ),
    (
        {"fires": {'s."Lead".touched': 'UPDATE s."Lead" SET id = id'}},
        ['trigger s."Lead".touched does not fire for its statement'],
    ),
    (
        {"fires": {'s."Lead".touched': "SELECT 1"}},
        ['trigger s."Lead".touched cannot be tried: its statement is no INSERT, UPDATE, DELETE or MERGE'],
    ),
    (
        {"fires": {'s."Lead".touche': "DELETE FROM s.two"}},
        ['trigger s."Lead".touche is not there (there is s."Lead".touched)'],
    ),
    ({"views": ["s.mv", "s.two"]}, ["view s.mv is not populated", "view s.two is a table"]),
    ({"sequences": ["s.number"]}, ["sequence s.number is not there (there is s.numbers)"]),
    (
        {"functions": ["s.plus(text)", "s.pluss(int)", "s.pluss", "s.plus(int"]},
        [
            "function s.plus(text) is not there (there is s.plus(integer,integer))",
            "function s.pluss(int) is not there (there is s.plus)",
            "function s.pluss is not there (there is s.plus)",
            "function s.plus(int is not there (there is s.plus(integer,integer))",
        ],
    ),
    (
        {
            "calls": {
                "s.plus(2)": 4,
                "s.rows()": 1,
                "s.fails()": None,
                "s.gone()": None,
                "s.touch()": None,
                "s.plus(1); DROP TABLE s.two": None,
                "1 + 1": 2,
                "s.proc(1)": 3,
            }
        },
        [
            "s.plus(2) yields 3, and must yield 4",
            "s.rows() yields several rows, and must yield 1",
            "s.fails() fails: division by zero",
            "s.gone() fails: function s.gone() does not exist",
            "s.touch() fails: trigger functions can only be called as triggers",
            's.plus(1); DROP TABLE s.two is not a call of a function: syntax error at or near ";"',
            "1 + 1 is not a call of a function",
            "s.proc(1) yields no row, and must yield 3",
        ],
    ),
    (
        {"count": {"s": {"tables": 5, "views": 2}, "gone": {"tables": 1}}, "at_least": {"s": {"indexes": 60}}},
        [
            "schema s has 4 tables, and must have 5",
            "schema gone has 0 tables, and must have 1",
            "schema s has 4 indexes, and must have at least 60",
        ],
    ),
    ({"count": {"s": {"tables": 3}}, "not_counted": ["s.two"]}, []),
    ({"partitions": {"s.two": {"every": "month"}}}, ["s.two is not partitioned by ranges of anything"]),
    ({"sound": {"schemas": ["s"]}}, ["constraint s.refers.late is not validated"]),
    ({"absent": ["s.v", "s.gone"]}, ["s.v exists"]),
]


def test_what_is_wrong_is_named(filled: str) -> None:
    assert [problems(filled, **wanted) for wanted, _ in WRONG] == [expected for _, expected in WRONG]


def test_a_foreign_key_whose_triggers_are_off_is_not_enforced(filled: str, conn: Connection[Any]) -> None:
    wanted = {'s."Lead".customer_id': {"references": 's."Customer"'}}
    assert problems(filled, foreign_keys=wanted) == []
    conn.execute('ALTER TABLE s."Lead" DISABLE TRIGGER ALL')
    [problem] = problems(filled, foreign_keys=wanted)
    assert problem.endswith("is not enforced: its triggers are disabled")


INDEXES = """
CREATE SCHEMA i;
CREATE TABLE i.t (id int PRIMARY KEY, a int, b int, c text, d int UNIQUE, e int, EXCLUDE USING btree (e WITH =));
CREATE TABLE i.child (d int REFERENCES i.t (d));
"""


REDUNDANT: list[tuple[str, list[str]]] = [
    ("CREATE INDEX x ON i.t (a); CREATE INDEX y ON i.t (a)", ["index i.y is redundant: it repeats i.x"]),
    ("CREATE INDEX x ON i.t (a); CREATE INDEX y ON i.t (a, b)", ["index i.x is redundant: it is the beginning of i.y"]),
    ("CREATE INDEX x ON i.t (id)", ["index i.x is redundant: it repeats i.t_pkey"]),
    ("CREATE UNIQUE INDEX x ON i.t (d)", ["index i.x is redundant: it repeats i.t_d_key"]),
    ("CREATE UNIQUE INDEX x ON i.t (d) WHERE d IS NOT NULL", ["index i.x is redundant: it repeats i.t_d_key"]),
    ("ALTER TABLE i.t ADD CONSTRAINT again UNIQUE (id)", ["index i.again is redundant: it repeats i.t_pkey"]),
    ("CREATE UNIQUE INDEX x ON i.t (a); CREATE INDEX y ON i.t (a)", ["index i.y is redundant: it repeats i.x"]),
    ("CREATE INDEX x ON i.t (a) INCLUDE (b); CREATE INDEX y ON i.t (a)", ["index i.y is redundant: it repeats i.x"]),
    ("CREATE INDEX x ON i.t (lower(c)); CREATE INDEX y ON i.t (lower(c))", ["index i.y is redundant: it repeats i.x"]),
    # Each of these does something that the other does not.
    ("CREATE UNIQUE INDEX x ON i.t (a); CREATE INDEX y ON i.t (a, b)", []),
    ("CREATE INDEX x ON i.t (a); CREATE INDEX y ON i.t (b, a)", []),
    ("CREATE INDEX x ON i.t (a); CREATE INDEX y ON i.t (a) WHERE b > 0", []),
    ("CREATE INDEX x ON i.t (a DESC); CREATE INDEX y ON i.t (a, b)", []),
    ("CREATE INDEX x ON i.t (c); CREATE INDEX y ON i.t (c text_pattern_ops)", []),
    ('CREATE INDEX x ON i.t (c); CREATE INDEX y ON i.t (c COLLATE "C")', []),
    ("CREATE INDEX x ON i.t (a); CREATE INDEX y ON i.t USING hash (a)", []),
    ("CREATE INDEX x ON i.t USING brin (a); CREATE INDEX y ON i.t USING brin (a, b)", []),
    ("CREATE INDEX x ON i.t (a) INCLUDE (c); CREATE INDEX y ON i.t (a, b)", []),
    ("CREATE INDEX x ON i.t (lower(c)); CREATE INDEX y ON i.t (upper(c))", []),
    ("CREATE INDEX x ON i.t (a); CREATE INDEX y ON i.t (a, b); ALTER TABLE i.t CLUSTER ON x", []),
    ("ALTER TABLE i.t ADD CONSTRAINT late UNIQUE (a) DEFERRABLE; CREATE UNIQUE INDEX x ON i.t (a)", []),
]


def test_redundant_indexes(dsn: str, conn: Connection[Any]) -> None:
    for statements, expected in REDUNDANT:
        conn.execute(f"DROP SCHEMA IF EXISTS i CASCADE; {INDEXES}; {statements}".encode())
        assert problems(dsn, sound={"schemas": ["i"]}) == expected, statements
        named = [problem.split()[1] for problem in expected]
        assert problems(dsn, sound={"schemas": ["i"], "redundant": named}) == []


def test_an_invalid_index_is_not_sound(dsn: str, conn: Connection[Any]) -> None:
    conn.execute(INDEXES)
    conn.execute("INSERT INTO i.t (id, a) VALUES (1, 1), (2, 1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        conn.execute("CREATE UNIQUE INDEX CONCURRENTLY bad ON i.t (a)")
    assert problems(dsn, sound={"schemas": ["i"]}) == ["index i.bad is INVALID: its build failed or is going on"]


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
def test_partitions_of_the_right_months(dsn: str, conn: Connection[Any], kind: str) -> None:
    conn.execute("SET TimeZone = 'UTC'")
    conn.execute(f"CREATE SCHEMA s; CREATE TABLE s.m (at {kind}) PARTITION BY RANGE (at)".encode())
    conn.execute("CREATE TABLE s.m_rest PARTITION OF s.m DEFAULT")
    months = conn.execute(
        "SELECT to_char(m, '\"m_\"YYYY_MM'), m::date::text, (m + '1 month')::date::text "
        "FROM generate_series(-1, 2) i, LATERAL (SELECT date_trunc('month', now()) + i * '1 month'::interval) AS x (m)"
    ).fetchall()
    for name, lower, upper in months:
        made = sql.SQL("CREATE TABLE s.{} PARTITION OF s.m FOR VALUES FROM ({}) TO ({})")
        conn.execute(made.format(sql.Identifier(name), lower, upper))
    wanted = {"every": "month", "behind": 1, "ahead": 2, "named": "m_%Y_%m"}
    assert problems(dsn, partitions={"s.m": wanted}, count={"s": {"partitions": 5, "tables": 1}}) == []
    conn.execute(sql.SQL("ALTER TABLE s.{} RENAME TO other").format(sql.Identifier(months[3][0])))
    conn.execute(sql.SQL("ALTER TABLE s.m DETACH PARTITION s.{}").format(sql.Identifier(months[0][0])))
    assert problems(dsn, partitions={"s.m": {**wanted, "ahead": 3}}) == [
        f"s.m has no partition for the month of {months[0][1]}",
        f"the partition of s.m for the month of {months[3][1]} is called other, not {months[3][0]}",
        f"s.m has no partition for the month of {months[3][2]}",
    ]


def test_a_trigger_of_a_partitioned_table_fires_on_its_partitions(dsn: str, conn: Connection[Any]) -> None:
    conn.execute(
        "CREATE SCHEMA s; CREATE TABLE s.p (x int) PARTITION BY LIST (x);"
        "CREATE TABLE s.p1 PARTITION OF s.p FOR VALUES IN (1);"
        "CREATE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE CONSTRAINT TRIGGER later AFTER INSERT ON s.p DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION s.f()"
    )
    assert problems(dsn, fires={"s.p.later": "INSERT INTO s.p VALUES (1)"}) == []
    conn.execute("ALTER TABLE s.p1 DISABLE TRIGGER later")
    assert problems(dsn, fires={"s.p.later": "INSERT INTO s.p VALUES (1)"}) == [
        "trigger s.p.later does not fire for its statement"
    ]


def test_a_trigger_that_refuses_the_statement_has_fired(dsn: str, conn: Connection[Any]) -> None:
    conn.execute(
        """CREATE SCHEMA s; CREATE TABLE s.log (x int);
        CREATE FUNCTION s.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'kept'; END $$;
        CREATE FUNCTION s.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1 / 0; END $$;
        CREATE TRIGGER keep BEFORE UPDATE ON s.log FOR EACH STATEMENT EXECUTE FUNCTION s.keep();
        CREATE TRIGGER other BEFORE DELETE ON s.log FOR EACH STATEMENT EXECUTE FUNCTION s.keep();
        CREATE TRIGGER broken BEFORE DELETE ON s.log FOR EACH STATEMENT EXECUTE FUNCTION s.fail()"""
    )
    assert problems(dsn, fires={"s.log.keep": "UPDATE s.log SET x = 1"}) == []
    assert problems(dsn, fires={"s.log.broken": "DELETE FROM s.log"}) == [
        "trigger s.log.broken cannot be tried: division by zero"
    ]
    conn.execute("ALTER TABLE s.log DISABLE TRIGGER keep")
    assert problems(dsn, fires={"s.log.keep": "UPDATE s.log SET x = 1"}) == [
        "trigger s.log.keep does not fire for its statement"
    ]


def test_what_a_check_looks_for_is_told() -> None:
    objects = Objects.model_validate(
        {"tables": ["s.two"], "foreign_keys": {"s.refers.y": {"references": "s.two"}}, "sound": {"schemas": ["s"]}}
    )
    told = REGISTRY[ObjectsCheck].describe(ObjectsCheck(objects=objects))
    assert told == "schema objects: 1 tables, 1 foreign keys, s sound"


def test_a_type_that_there_is_not_is_an_error_of_the_plan(filled: str) -> None:
    with pytest.raises(LockgateError, match="no type nonsense"):
        problems(filled, columns={'s."Lead".n': "nonsense not null"})
