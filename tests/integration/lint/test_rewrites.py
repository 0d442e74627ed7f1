"""What each rule of a live database advises is run on tables with rows, and gives what the statement was for.

The advice is taken from the finding and run statement by statement, each committing by itself. Where it is a query for
the rows that stand in the way, it must find as many as the finding says, and once they are mended the statement runs.
"""

# ruff: noqa: E501
# Each case stands on few lines, so that many can be compared.
from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from lockgate.safety.live.answers import TOLD
from lockgate.sql.split import split
from tests.integration.lint.examining import Conn, examined, make, of

SHOP = ('CREATE SCHEMA "Shop"',)
CUSTOMER = (*SHOP, 'CREATE TABLE "Shop"."Customer" (id int PRIMARY KEY, "E-Mail" text, code text, parent int)')
ROWS = """INSERT INTO "Shop"."Customer" SELECT i, 'm' || i, 'c' || i % 7, 1 + i % 3 FROM generate_series(1, 20) i"""
LINE = 'CREATE TABLE "Shop"."Line" (id int PRIMARY KEY, customer int, code text, note text)'
LINES = """INSERT INTO "Shop"."Line" SELECT i, 1 + i % 20, 'c' || i, 'n' FROM generate_series(1, 30) i"""
RANGES = (*SHOP, 'CREATE TABLE "Shop"."Ev" (id int, at date NOT NULL) PARTITION BY RANGE (at)')
JANUARY = """CREATE TABLE "Shop"."Ev 1" PARTITION OF "Shop"."Ev" FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')"""
LONG = "partition_" + "x" * 53
REST = 'CREATE TABLE "Shop".rest PARTITION OF "Shop"."Ev" DEFAULT'
EVENTS = """INSERT INTO "Shop"."Ev" SELECT i, '2026-01-01'::date + i FROM generate_series(1, 20) i"""
PARTED = (
    *RANGES, JANUARY, f'CREATE TABLE "Shop".{LONG} PARTITION OF "Shop"."Ev" DEFAULT PARTITION BY LIST (id)',
    f'CREATE TABLE "Shop"."Ev 2 1" PARTITION OF "Shop".{LONG} DEFAULT', EVENTS,
)  # fmt: skip
FIRST_UPPER = """CREATE FUNCTION "Shop".f(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT upper($1)'"""
THEN_LOWER = FIRST_UPPER.replace("CREATE", "CREATE OR REPLACE").replace("upper", "lower")
VIEW = 'CREATE VIEW "Shop".v AS SELECT id, code FROM "Shop"."Customer"'
GRANTS = (VIEW, 'GRANT SELECT ON "Shop".v TO PUBLIC', 'GRANT INSERT (code) ON "Shop".v TO pg_monitor WITH GRANT OPTION')
MAY = """SELECT has_table_privilege('pg_read_all_stats', '"Shop".v', 'SELECT') AND has_column_privilege('pg_monitor', '"Shop".v', 'code', 'INSERT WITH GRANT OPTION')"""

INDEX = "SELECT count(*) FROM pg_index WHERE indisvalid AND indisready AND indexrelid = to_regclass('{}')"
COLUMNS = (
    "SELECT pg_get_indexdef(indexrelid) LIKE '%{}' AND indisvalid FROM pg_index WHERE indexrelid = to_regclass('{}')"
)
VALIDATED = "SELECT count(*) = 1 FROM pg_constraint WHERE convalidated AND contype = '{}' AND conrelid = '{}'::regclass"
NOT_NULL = "SELECT attnotnull FROM pg_attribute WHERE attrelid = '\"Shop\".\"Customer\"'::regclass AND attname = '{}'"


@dataclass(frozen=True)
class Case:
    """A statement whose finding advises something.

    :param text: the harmful statement.
    :param wants: a query that gives true, or 1, when that is there which the statement was for.
    :param harmless: a text of the same kind that is no hazard on the same tables.
    :param mend: what the advice leaves to its reader, run behind it.
    :param again: whether the statement itself is run behind the advice, which only makes way for it.
    :param first: whether it is run before the advice, which mends what it did.
    """

    code: str
    before: tuple[str, ...]
    text: str
    wants: str
    harmless: str
    mend: tuple[str, ...] = ()
    again: bool = False
    first: bool = False


CASES = {
    "LG107": Case(
        "LG107", PARTED,
        'CREATE INDEX CONCURRENTLY "By at" ON "Shop"."Ev" (at DESC, id)', INDEX.format('"Shop"."By at"'),
        'CREATE INDEX CONCURRENTLY x ON "Shop"."Ev 1" (at)',
    ),
    "LG102": Case(
        "LG102", (*PARTED, 'CREATE INDEX "By at" ON "Shop"."Ev" (at)'), 'DROP INDEX "Shop"."By at"',
        """SELECT to_regclass('"Shop"."By at"') IS NULL""", 'DROP INDEX CONCURRENTLY "Shop"."By at"',
    ),
    "LG402": Case(
        "LG402", PARTED, 'ALTER TABLE "Shop"."Ev" ADD PRIMARY KEY (id, at)',
        """SELECT bool_and(indisvalid AND indisprimary) AND count(*) = 4 FROM pg_index WHERE indrelid::regclass::text LIKE '"Shop".%'""",
        'ALTER TABLE "Shop"."Ev" ADD CHECK (id > 0)',
    ),
    "LG403": Case(
        "LG403", PARTED, 'ALTER TABLE "Shop"."Ev" ADD CONSTRAINT "Once" UNIQUE (id, at) INCLUDE (at)',
        """SELECT bool_and(indisvalid AND indisunique) AND count(*) = 4 FROM pg_index WHERE indrelid::regclass::text LIKE '"Shop".%'""",
        'ALTER TABLE "Shop"."Ev" ADD CHECK (id > 0)',
    ),
    "LG121": Case(
        "LG121", (*CUSTOMER, ROWS, 'CREATE INDEX "Short" ON "Shop"."Customer" (code)'),
        'CREATE INDEX CONCURRENTLY "Long" ON "Shop"."Customer" (code, parent)',
        """SELECT to_regclass('"Shop"."Short"') IS NULL AND to_regclass('"Shop"."Long"') IS NOT NULL""",
        'CREATE INDEX CONCURRENTLY other ON "Shop"."Customer" (parent, code)', first=True,
    ),
    "LG122": Case(
        "LG122", (*CUSTOMER, ROWS, 'ALTER TABLE "Shop"."Customer" ALTER "E-Mail" SET STORAGE EXTERNAL',
                  """UPDATE "Shop"."Customer" SET "E-Mail" = repeat('x', 5000) WHERE id = 1"""),
        'CREATE INDEX CONCURRENTLY n ON "Shop"."Customer" ("E-Mail")',
        """SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%md5("E-Mail")%'""",
        'CREATE INDEX CONCURRENTLY n ON "Shop"."Customer" (code)',
    ),
    "LG123 of another shape": Case(
        "LG123", (*CUSTOMER, ROWS, 'CREATE INDEX "By" ON "Shop"."Customer" (code)'),
        'CREATE INDEX CONCURRENTLY IF NOT EXISTS "By" ON "Shop"."Customer" ("E-Mail" DESC)',
        COLUMNS.format('("E-Mail" DESC)', '"Shop"."By"'),
        'CREATE INDEX CONCURRENTLY IF NOT EXISTS "By" ON "Shop"."Customer" (code)',
    ),
    "LG123 of another table": Case(
        "LG123", (*CUSTOMER, ROWS, LINE, LINES, 'CREATE INDEX "By" ON "Shop"."Line" (code)'),
        'CREATE INDEX CONCURRENTLY IF NOT EXISTS "By" ON "Shop"."Customer" (code)',
        """SELECT count(*) = 1 FROM pg_index AS i WHERE i.indisvalid AND pg_get_indexdef(indexrelid) LIKE '% ON "Shop"."Customer" USING btree (code)'""",
        'CREATE INDEX CONCURRENTLY IF NOT EXISTS other ON "Shop"."Customer" (code)',
    ),
    "LG321": Case(
        "LG321", (*CUSTOMER, ROWS, *GRANTS), 'ALTER TABLE "Shop"."Customer" ALTER code TYPE varchar(9)', MAY,
        'ALTER TABLE "Shop"."Customer" ALTER parent TYPE bigint',
    ),
    "LG405": Case(
        "LG405", (*CUSTOMER, ROWS), 'ALTER TABLE "Shop"."Customer" ADD EXCLUDE USING gist (id WITH =)',
        """SELECT count(*) FROM pg_opclass AS o JOIN pg_am AS m ON m.oid = o.opcmethod WHERE m.amname = 'gist' AND o.opcname = 'gist_int4_ops'""",
        'ALTER TABLE "Shop"."Customer" ADD CHECK (id > 0) NOT VALID', again=True,
    ),
    "LG421": Case(
        "LG421", (*CUSTOMER, ROWS, """UPDATE "Shop"."Customer" SET "E-Mail" = 'same' WHERE id < 4"""),
        'CREATE UNIQUE INDEX CONCURRENTLY "Once" ON "Shop"."Customer" ("E-Mail")', INDEX.format('"Shop"."Once"'),
        'CREATE UNIQUE INDEX CONCURRENTLY "Once" ON "Shop"."Customer" ("E-Mail", id)',
        ("""UPDATE "Shop"."Customer" SET "E-Mail" = 'm' || id WHERE "E-Mail" = 'same'""",), again=True,
    ),
    "LG421 of a part": Case(
        "LG421", (*CUSTOMER, ROWS, """UPDATE "Shop"."Customer" SET "E-Mail" = 'same' WHERE id IN (1, 3, 10, 12)"""),
        'CREATE UNIQUE INDEX CONCURRENTLY "Once" ON "Shop"."Customer" (lower("E-Mail")) WHERE parent < 3 AND id < 10', INDEX.format('"Shop"."Once"'),
        'CREATE UNIQUE INDEX CONCURRENTLY "Once" ON "Shop"."Customer" (lower("E-Mail")) WHERE id > 11',
        ("""UPDATE "Shop"."Customer" SET "E-Mail" = 'm' || id WHERE "E-Mail" = 'same'""",), again=True,
    ),
    "LG421 with NULLs": Case(
        "LG421", (*CUSTOMER, ROWS, """UPDATE "Shop"."Customer" SET "E-Mail" = NULL WHERE id < 4""", """UPDATE "Shop"."Customer" SET "E-Mail" = 'same' WHERE id > 18"""),
        'ALTER TABLE "Shop"."Customer" ADD UNIQUE ("E-Mail")', VALIDATED.format("u", '"Shop"."Customer"'),
        'ALTER TABLE "Shop"."Customer" ADD UNIQUE ("E-Mail", id)',
        ("""UPDATE "Shop"."Customer" SET "E-Mail" = 'm' || id WHERE "E-Mail" = 'same'""",), again=True,
    ),
    "LG423": Case(
        "LG423", (*CUSTOMER, ROWS), """ALTER TABLE "Shop"."Customer" ADD CHECK ("E-Mail" <> 'm3' AND parent < 9)""",
        VALIDATED.format("c", '"Shop"."Customer"'), 'ALTER TABLE "Shop"."Customer" ADD CHECK (parent < 9)',
        ("""UPDATE "Shop"."Customer" SET "E-Mail" = NULL WHERE id = 3""",), again=True,
    ),
    "LG423 of a NULL": Case(
        "LG423", (*CUSTOMER, ROWS, 'UPDATE "Shop"."Customer" SET code = NULL WHERE id < 5'),
        """ALTER TABLE "Shop"."Customer" ADD CONSTRAINT given CHECK (code IS NOT NULL) NOT VALID""",
        "SELECT count(*) FROM pg_constraint WHERE conname = 'given'",
        'ALTER TABLE "Shop"."Customer" ADD CHECK ("E-Mail" IS NOT NULL) NOT VALID',
        ("""UPDATE "Shop"."Customer" SET code = 'x' WHERE code IS NULL""",), again=True,
    ),
    "LG423 validated": Case(
        "LG423", (*CUSTOMER, ROWS, 'ALTER TABLE "Shop"."Customer" ADD CONSTRAINT few CHECK (id < 19) NOT VALID', 'ALTER TABLE "Shop"."Customer" ADD CONSTRAINT most CHECK (id < 99) NOT VALID'),
        'ALTER TABLE "Shop"."Customer" VALIDATE CONSTRAINT few', VALIDATED.format("c", '"Shop"."Customer"'),
        'ALTER TABLE "Shop"."Customer" VALIDATE CONSTRAINT most', ('DELETE FROM "Shop"."Customer" WHERE id >= 19',), again=True,
    ),
    "LG425": Case(
        "LG425", (*CUSTOMER, ROWS, 'UPDATE "Shop"."Customer" SET "E-Mail" = NULL WHERE id < 5'),
        'ALTER TABLE "Shop"."Customer" ALTER "E-Mail" SET NOT NULL', NOT_NULL.format("E-Mail"),
        'ALTER TABLE "Shop"."Customer" ALTER code SET NOT NULL',
        ("""UPDATE "Shop"."Customer" SET "E-Mail" = '' WHERE "E-Mail" IS NULL""",), again=True,
    ),
    "LG521": Case(
        "LG521", (*CUSTOMER, ROWS, LINE, LINES, 'UPDATE "Shop"."Line" SET customer = 99 WHERE id < 4', 'UPDATE "Shop"."Line" SET customer = NULL WHERE id = 9'),
        'ALTER TABLE "Shop"."Line" ADD FOREIGN KEY (customer) REFERENCES "Shop"."Customer"', VALIDATED.format("f", '"Shop"."Line"'),
        'ALTER TABLE "Shop"."Customer" ADD FOREIGN KEY (parent) REFERENCES "Shop"."Line"',
        ('DELETE FROM "Shop"."Line" WHERE customer = 99',), again=True,
    ),
    "LG521 of all or none": Case(
        "LG521", (*CUSTOMER, ROWS, LINE, LINES, 'CREATE UNIQUE INDEX ON "Shop"."Customer" (id, code)', """UPDATE "Shop"."Line" SET code = 'c' || customer % 7""",
                  'UPDATE "Shop"."Line" SET code = NULL WHERE id < 4', 'UPDATE "Shop"."Line" SET customer = NULL, code = NULL WHERE id = 5'),
        'ALTER TABLE "Shop"."Line" ADD FOREIGN KEY (customer, code) REFERENCES "Shop"."Customer" (id, code) MATCH FULL', VALIDATED.format("f", '"Shop"."Line"'),
        'ALTER TABLE "Shop"."Line" ADD FOREIGN KEY (customer, code) REFERENCES "Shop"."Customer" (id, code)',
        ('DELETE FROM "Shop"."Line" WHERE id < 4',), again=True,
    ),
    "LG521 validated, of all or none": Case(
        "LG521", (*CUSTOMER, ROWS, LINE, LINES, 'CREATE UNIQUE INDEX ON "Shop"."Customer" (id, code)', """UPDATE "Shop"."Line" SET code = 'c' || customer % 7""",
                  'UPDATE "Shop"."Line" SET code = NULL WHERE id < 4',
                  'ALTER TABLE "Shop"."Line" ADD CONSTRAINT fk FOREIGN KEY (customer, code) REFERENCES "Shop"."Customer" (id, code) MATCH FULL NOT VALID',
                  'ALTER TABLE "Shop"."Line" ADD CONSTRAINT simple FOREIGN KEY (customer, code) REFERENCES "Shop"."Customer" (id, code) NOT VALID'),
        'ALTER TABLE "Shop"."Line" VALIDATE CONSTRAINT fk', "SELECT convalidated FROM pg_constraint WHERE conname = 'fk'",
        'ALTER TABLE "Shop"."Line" VALIDATE CONSTRAINT simple', ('DELETE FROM "Shop"."Line" WHERE id < 4',), again=True,
    ),
    "LG522": Case(
        "LG522", (*CUSTOMER, ROWS, LINE, LINES, """UPDATE "Shop"."Line" SET code = 'm' || customer"""),
        'ALTER TABLE "Shop"."Line" ADD FOREIGN KEY (code) REFERENCES "Shop"."Customer" ("E-Mail")', VALIDATED.format("f", '"Shop"."Line"'),
        'ALTER TABLE "Shop"."Line" ADD FOREIGN KEY (customer) REFERENCES "Shop"."Customer" (id)', again=True,
    ),
    "LG523": Case(
        "LG523", (*CUSTOMER, ROWS, LINE, LINES, 'CREATE INDEX ON "Shop"."Customer" (parent)'),
        'ALTER TABLE "Shop"."Line" ADD FOREIGN KEY (customer) REFERENCES "Shop"."Customer"',
        """SELECT count(*) FROM pg_index WHERE indisvalid AND pg_get_indexdef(indexrelid) LIKE '% ON "Shop"."Line" USING btree (customer)'""",
        'ALTER TABLE "Shop"."Customer" ADD FOREIGN KEY (parent) REFERENCES "Shop"."Line"', again=True,
    ),
    "LG605": Case(
        "LG605", (*CUSTOMER, ROWS, *GRANTS), f'DROP VIEW "Shop".v; {VIEW}', MAY, f'CREATE OR REPLACE {VIEW.removeprefix("CREATE ")}', first=True,
    ),
    "LG701": Case(
        "LG701", (*RANGES, JANUARY, REST, EVENTS), 'ALTER TABLE "Shop"."Ev" DETACH PARTITION "Shop"."Ev 1"',
        """SELECT NOT relispartition FROM pg_class WHERE relname = 'Ev 1'""",
        'ALTER TABLE "Shop"."Ev" DETACH PARTITION "Shop"."Ev 1" CONCURRENTLY',
    ),
    "LG704": Case(
        "LG704", (*RANGES, JANUARY, REST, EVENTS), 'ALTER TABLE "Shop"."Ev" DETACH PARTITION "Shop"."Ev 1" CONCURRENTLY',
        """SELECT NOT relispartition FROM pg_class WHERE relname = 'Ev 1'""",
        'ALTER TABLE "Shop"."Ev" DETACH PARTITION "Shop"."Ev 1"',
    ),
    "LG721": Case(
        "LG721", (*CUSTOMER, ROWS, 'CREATE MATERIALIZED VIEW "Shop"."M" AS SELECT * FROM "Shop"."Customer"', 'CREATE UNIQUE INDEX ON "Shop"."M" (id)',
                  'CREATE MATERIALIZED VIEW "Shop"."Empty" AS SELECT 1 WITH NO DATA', 'DELETE FROM "Shop"."Customer" WHERE id = 1'),
        'REFRESH MATERIALIZED VIEW "Shop"."M"', 'SELECT count(*) = 19 FROM "Shop"."M"', 'REFRESH MATERIALIZED VIEW "Shop"."Empty"',
    ),
    "LG725": Case(
        "LG725", (*CUSTOMER, ROWS, 'CREATE MATERIALIZED VIEW "Shop"."M" AS SELECT * FROM "Shop"."Customer" WITH NO DATA', 'CREATE UNIQUE INDEX ON "Shop"."M" (id)'),
        'REFRESH MATERIALIZED VIEW CONCURRENTLY "Shop"."M"', 'SELECT count(*) = 20 FROM "Shop"."M"',
        'REFRESH MATERIALIZED VIEW "Shop"."M"', again=True,
    ),
    "LG731": Case(
        "LG731", (*CUSTOMER, ROWS, FIRST_UPPER, 'CREATE INDEX "By f" ON "Shop"."Customer" ("Shop".f("E-Mail"))'), THEN_LOWER,
        """SET enable_seqscan = off; SELECT count(*) FROM "Shop"."Customer" WHERE "Shop".f("E-Mail") = 'm3'""", FIRST_UPPER.replace("CREATE", "CREATE OR REPLACE"), first=True,
    ),
    "LG749": Case(
        "LG749", (*CUSTOMER, ROWS, 'CREATE PUBLICATION p FOR TABLE "Shop"."Customer"'), 'ALTER TABLE "Shop"."Customer" DROP CONSTRAINT "Customer_pkey"',
        """WITH done AS (UPDATE "Shop"."Customer" SET code = 'x' WHERE id = 3 RETURNING id) SELECT count(*) FROM done""",
        'ALTER TABLE "Shop"."Customer" REPLICA IDENTITY FULL', first=True,
    ),
}  # fmt: skip

IN_WORDS = {
    "LG422": "whether many NULLs are meant only its reader knows",
    "LG621": "what the function is to be",
    "LG622": "whether what depends on it is to go, or to be another",
    "LG705": "the `partition` step moves the rows",
}
"""Rules that advise nothing that could be run, and what it would have to know."""


@pytest.mark.parametrize("name", CASES)
def test_what_is_advised_runs_and_gives_what_was_wanted(conn: Conn, name: str) -> None:
    case = CASES[name]
    make(conn, *case.before)
    assert of(examined(conn, case.harmless), case.code) == []
    (found,) = of(examined(conn, case.text, values=True), case.code)
    if case.first:
        make(conn, *(statement.text for statement in split(case.text)))
    for statement in split(found.rewrite):
        done = conn.execute(statement.text.encode())
        if statement.kind == "SelectStmt":
            assert count(done.fetchall()) == said(found.what)
    make(conn, *case.mend)
    if case.again:
        make(conn, case.text)
    *settings, query = case.wants.split("; ")
    make(conn, *settings)
    assert conn.execute(query.encode()).fetchone() in {(True,), (1,)}


def count(rows: list[tuple[object, ...]]) -> int:
    """How many rows a query of the advice tells of: it counts them, lists them, or lists keys and counts those."""
    if rows and isinstance(rows[0][-1], int) and len(rows[0]) <= 2:
        return sum(int(str(row[-1])) for row in rows)
    return len(rows)


def said(what: str) -> int:
    found = re.search(r"(\d+) rows?", what)
    assert found is not None, what
    return int(found[1])


@pytest.mark.one_server
def test_each_rule_of_a_live_database_advises_what_is_run_or_says_why_not() -> None:
    codes = {each.rule.code for each in TOLD}
    assert codes - {case.code for case in CASES.values()} == set(IN_WORDS)
