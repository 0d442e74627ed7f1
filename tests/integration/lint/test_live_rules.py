"""Each rule that only a database can tell: a case that it must tell, one that it must not, and what the server does.

``does`` is the SQLSTATE with which the server refuses the statement, or None where it takes it.
"""

# ruff: noqa: E501
# Each case stands on few lines, so that many can be compared.
from __future__ import annotations

from dataclasses import dataclass

import psycopg
import pytest

from lockgate.safety.live.answers import TOLD
from tests.integration.lint.examining import Conn, examined, make, of

PARENT = 'CREATE TABLE parent (id int PRIMARY KEY, code text, "Odd" int)'
CHILD = "CREATE TABLE child (id int PRIMARY KEY, parent int, note text)"
ROWS = "INSERT INTO parent SELECT i, 'c' || i % 7 FROM generate_series(1, 20) i"
RANGES = "CREATE TABLE r (id int, at date NOT NULL) PARTITION BY RANGE (at)"
DEFAULT = "CREATE TABLE r_rest PARTITION OF r DEFAULT"


@dataclass(frozen=True)
class Case:
    code: str
    before: tuple[str, ...]
    text: str
    says: str = ""
    silent: bool = False
    severity: str = ""  # if it is asked after
    does: str | None = None
    least: int = 14  # the oldest major version that knows the statement
    most: int = 99  # the newest one that it holds for


CASES = {
    # --- NULLs
    "set not null over nulls": Case(
        "LG425", (PARENT, "INSERT INTO parent VALUES (1, NULL), (2, 'x')"), "ALTER TABLE parent ALTER code SET NOT NULL",
        "1 row of public.parent", does="23502",
    ),
    "set not null without nulls": Case(
        "LG425", (PARENT, ROWS), "ALTER TABLE parent ALTER code SET NOT NULL", silent=True,
    ),
    "set not null after filling": Case(
        "LG425", (PARENT, "INSERT INTO parent VALUES (1)"),
        "UPDATE parent SET code = 'x' WHERE code IS NULL; ALTER TABLE parent ALTER code SET NOT NULL",
        "count is of now", does=None,
    ),
    "primary key over nulls": Case(
        "LG425", ("CREATE TABLE t (a int, b int)", "INSERT INTO t VALUES (1, NULL)"), "ALTER TABLE t ADD PRIMARY KEY (a, b)",
        "a, b", does="23502",
    ),
    # --- unique
    "unique index over duplicates": Case(
        "LG421", (PARENT, ROWS), "CREATE UNIQUE INDEX CONCURRENTLY u ON parent (code)", "20 rows", does="23505",
    ),
    "unique constraint over duplicates": Case(
        "LG421", (PARENT, ROWS), "ALTER TABLE parent ADD UNIQUE (code)", "20 rows", does="23505",
    ),
    "unique index on an expression": Case(
        "LG421", (PARENT, "INSERT INTO parent VALUES (1, 'a'), (2, 'A'), (3, 'b')"),
        "CREATE UNIQUE INDEX u ON parent (lower(code)) WHERE id < 9", "2 rows", does="23505",
    ),
    "unique index over a part without duplicates": Case(
        "LG421", (PARENT, ROWS), "CREATE UNIQUE INDEX u ON parent (code) WHERE id < 3", silent=True,
    ),
    "unique over NULLs": Case(
        "LG421", (PARENT, 'INSERT INTO parent VALUES (1), (2)'), "CREATE UNIQUE INDEX u ON parent (code)", silent=True,
    ),
    "unique over NULLs that are alike": Case(
        "LG421", (PARENT, 'INSERT INTO parent VALUES (1), (2)'),
        "CREATE UNIQUE INDEX u ON parent (code) NULLS NOT DISTINCT", "2 rows", does="23505",
    ),
    "unique over a key and more": Case(
        "LG421", (PARENT, ROWS), "CREATE UNIQUE INDEX u ON parent (id, code)", silent=True,
    ),
    "unique of two columns that may be NULL": Case(
        "LG422", (PARENT,), "ALTER TABLE parent ADD UNIQUE (id, code)", "code may be",
    ),
    "unique of columns that may not": Case(
        "LG422", (PARENT,), "ALTER TABLE parent ALTER code SET NOT NULL; ALTER TABLE parent ADD UNIQUE (id, code)", silent=True,
    ),
    # --- checks
    "check that rows fail": Case(
        "LG423", (PARENT, ROWS), "ALTER TABLE parent ADD CHECK (id < 19 AND \"Odd\" IS NULL)", "2 rows", does="23514",
    ),
    "check that rows fulfil": Case("LG423", (PARENT, ROWS), "ALTER TABLE parent ADD CHECK (id < 99)", silent=True),
    "check not valid that rows fail": Case(
        "LG423", (PARENT, ROWS), "ALTER TABLE parent ADD CHECK (id < 19) NOT VALID", "Each later UPDATE of 2 rows",
    ),
    "check that is not enforced": Case(
        "LG423", (PARENT, ROWS), "ALTER TABLE parent ADD CHECK (id < 19) NOT ENFORCED", silent=True, least=18,
    ),
    "validate of a check that rows fail": Case(
        "LG423", (PARENT, ROWS, "ALTER TABLE parent ADD CONSTRAINT few CHECK (id < 19) NOT VALID"),
        "ALTER TABLE parent VALIDATE CONSTRAINT few", "2 rows", does="23514",
    ),
    # --- foreign keys
    "orphans": Case(
        "LG521", (PARENT, CHILD, ROWS, "INSERT INTO child VALUES (1, 1), (2, 99), (3, NULL)"),
        "ALTER TABLE child ADD FOREIGN KEY (parent) REFERENCES parent", "1 row of public.child", does="23503",
    ),
    "orphans of one that is not valid": Case(
        "LG521", (PARENT, CHILD, "INSERT INTO child VALUES (2, 99)"),
        "ALTER TABLE child ADD FOREIGN KEY (parent) REFERENCES parent NOT VALID", "VALIDATE will fail",
    ),
    "orphans of one that is not enforced": Case(
        "LG521", (PARENT, CHILD, "INSERT INTO child VALUES (2, 99)"),
        "ALTER TABLE child ADD FOREIGN KEY (parent) REFERENCES parent NOT ENFORCED", silent=True, least=18,
    ),
    "no orphans": Case(
        "LG521", (PARENT, CHILD, ROWS, "INSERT INTO child VALUES (1, 1), (3, NULL)"),
        "ALTER TABLE child ADD FOREIGN KEY (parent) REFERENCES parent", silent=True,
    ),
    "validate with orphans": Case(
        "LG521", (PARENT, CHILD, "INSERT INTO child VALUES (2, 99)",
                  "ALTER TABLE child ADD CONSTRAINT fk FOREIGN KEY (parent) REFERENCES parent NOT VALID"),
        "ALTER TABLE child VALIDATE CONSTRAINT fk", "1 row", does="23503",
    ),
    "types that do not compare": Case(
        "LG502", (PARENT, CHILD), "ALTER TABLE child ADD FOREIGN KEY (note) REFERENCES parent", "fail", does="42804",
    ),
    "no unique target": Case(
        "LG522", (PARENT, CHILD), "ALTER TABLE child ADD FOREIGN KEY (note) REFERENCES parent (code)", "no unique index",
        does="42830",
    ),
    "a partial unique target": Case(
        "LG522", (PARENT, CHILD, "CREATE UNIQUE INDEX partial ON parent (code) WHERE id > 1"),
        "ALTER TABLE child ADD FOREIGN KEY (note) REFERENCES parent (code)", "partial", does="42830",
    ),
    "a target made unique before": Case(
        "LG522", (PARENT, CHILD),
        "CREATE UNIQUE INDEX c ON parent (code); ALTER TABLE child ADD FOREIGN KEY (note) REFERENCES parent (code)",
        silent=True,
    ),
    "not valid on a partitioned table": Case(
        "LG506", (PARENT, RANGES), "ALTER TABLE r ADD FOREIGN KEY (id) REFERENCES parent NOT VALID", "NOT VALID",
        most=17, does="42809",
    ),
    "a foreign key without an index": Case(
        "LG523", (PARENT, CHILD), "ALTER TABLE child ADD FOREIGN KEY (parent) REFERENCES parent", "no index begins with parent",
    ),
    "a foreign key with an index": Case(
        "LG523", (PARENT, CHILD, "CREATE INDEX ON child (parent, note)"), "ALTER TABLE child ADD FOREIGN KEY (parent) REFERENCES parent",
        silent=True,
    ),
    "a foreign key with an index that is INVALID": Case(
        "LG523", (PARENT, RANGES, DEFAULT, "CREATE INDEX ON ONLY r (id)"), "ALTER TABLE r ADD FOREIGN KEY (id) REFERENCES parent",
        "no index begins with id",
    ),
    "a foreign key whose index follows": Case(
        "LG523", (PARENT, CHILD),
        "ALTER TABLE child ADD FOREIGN KEY (parent) REFERENCES parent; CREATE INDEX ON public.child (parent)", silent=True,
    ),
    # --- indexes
    "the same index": Case("LG121", (CHILD, "CREATE INDEX a ON child (parent, note)"), "CREATE INDEX b ON child (parent)", "public.a serves"),
    "a longer index": Case("LG121", (CHILD, "CREATE INDEX a ON child (parent)"), "CREATE INDEX b ON child (parent, note)", "public.a is superfluous"),
    "an index of another order": Case("LG121", (CHILD, "CREATE INDEX a ON child (parent, note)"), "CREATE INDEX b ON child (note)", silent=True),
    "a descending index": Case("LG121", (CHILD, "CREATE INDEX a ON child (parent, note)"), "CREATE INDEX b ON child (parent DESC)", silent=True),
    "beside a partial index": Case("LG121", (CHILD, "CREATE INDEX a ON child (parent) WHERE id > 1"), "CREATE INDEX b ON child (parent)", silent=True),
    "beside another operator class": Case("LG121", (CHILD, "CREATE INDEX a ON child (note text_pattern_ops)"), "CREATE INDEX b ON child (note)", silent=True),
    "of another operator class": Case("LG121", (CHILD, "CREATE INDEX a ON child (note)"), "CREATE INDEX b ON child (note text_pattern_ops)", silent=True),
    "beside another collation": Case("LG121", (CHILD, 'CREATE INDEX a ON child (note COLLATE "C")'), "CREATE INDEX b ON child (note)", silent=True),
    "with more in it": Case("LG121", (CHILD, "CREATE INDEX a ON child (parent)"), "CREATE INDEX b ON child (parent) INCLUDE (note)", "public.a is superfluous"),
    "with less in it": Case("LG121", (CHILD, "CREATE INDEX a ON child (parent) INCLUDE (note)"), "CREATE INDEX b ON child (parent)", "public.a serves"),
    "by another method": Case("LG121", (CHILD, "CREATE INDEX a ON child USING hash (parent)"), "CREATE INDEX b ON child (parent)", silent=True),
    "unique beside one that is not": Case("LG121", (CHILD, "CREATE INDEX a ON child (parent)"), "CREATE UNIQUE INDEX b ON child (parent)", "public.a is superfluous"),
    "plain beside a key": Case("LG121", (CHILD,), "CREATE INDEX b ON child (id)", "public.child_pkey serves"),
    "longer than a key": Case("LG121", (CHILD,), "CREATE INDEX b ON child (id, note)", silent=True),
    "longer than one that a constraint rests on": Case(
        "LG121", (CHILD, "ALTER TABLE child ADD EXCLUDE USING btree (parent WITH =)"), "CREATE INDEX b ON child (parent, note)", silent=True,
    ),
    "instead of one that is dropped": Case("LG121", (CHILD, "CREATE INDEX a ON child (parent)"), "DROP INDEX a; CREATE INDEX b ON child (parent)", silent=True),
    "of varchar": Case("LG121", ("CREATE TABLE v (a varchar(9), b text)", "CREATE INDEX x ON v (a, b)"), "CREATE INDEX y ON v (a)", "public.x serves"),
    "too large for a btree": Case(
        "LG122", (CHILD, "ALTER TABLE child ALTER note SET STORAGE EXTERNAL", "INSERT INTO child VALUES (1, 1, repeat('x', 5000))"),
        "CREATE INDEX n ON child (note)", "1 row", does="54000",
    ),
    "not too large": Case("LG122", (CHILD, "INSERT INTO child VALUES (1, 1, 'x')"), "CREATE INDEX n ON child (note)", silent=True),
    "large by another method": Case(
        "LG122", (CHILD, "ALTER TABLE child ALTER note SET STORAGE EXTERNAL", "INSERT INTO child VALUES (1, 1, repeat('x', 5000))"),
        "CREATE INDEX n ON child USING hash (note)", silent=True,
    ),
    "a name of another shape": Case("LG123", (CHILD, "CREATE INDEX a ON child (parent)"), "CREATE INDEX IF NOT EXISTS a ON child (note)", "another shape"),
    "a name of another table": Case("LG123", (CHILD, PARENT, "CREATE INDEX a ON parent (id)"), "CREATE INDEX IF NOT EXISTS a ON child (id)", "public.parent"),
    "a name of the same": Case("LG123", (CHILD, "CREATE INDEX a ON child (parent)"), "CREATE INDEX IF NOT EXISTS a ON child (parent)", silent=True),
    "concurrently on a partitioned table": Case("LG107", (RANGES,), "CREATE INDEX CONCURRENTLY x ON r (id)", "fails", does="0A000"),
    "if not exists on a partitioned table": Case("LG106", (RANGES,), "CREATE INDEX CONCURRENTLY IF NOT EXISTS x ON r (id)", silent=True, does="0A000"),
    "a unique column of a partitioned table": Case("LG209", (RANGES,), "ALTER TABLE r ADD x int UNIQUE", silent=True, does="0A000"),
    "concurrently on a plain table": Case("LG107", (CHILD,), "CREATE INDEX CONCURRENTLY x ON child (parent)", silent=True),
    # --- partitions
    "rows in the default partition": Case(
        "LG705", (RANGES, DEFAULT, "INSERT INTO r VALUES (1, '2026-02-03')"),
        "CREATE TABLE r_2 PARTITION OF r FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')", "1 row", does="23514",
    ),
    "no rows in the default partition": Case(
        "LG705", (RANGES, DEFAULT, "INSERT INTO r VALUES (1, '2026-03-01')"),
        "CREATE TABLE r_2 PARTITION OF r FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')", silent=True,
    ),
    "rows of an attached partition": Case(
        "LG705", (RANGES, DEFAULT, "INSERT INTO r VALUES (1, '2026-02-03')", "CREATE TABLE n (LIKE r)"),
        "ALTER TABLE r ATTACH PARTITION n FOR VALUES FROM (MINVALUE) TO ('2026-03-01')", "1 row", does="23514",
    ),
    "detach concurrently with a default": Case(
        "LG704", (RANGES, DEFAULT, "CREATE TABLE r_2 PARTITION OF r FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')"),
        "ALTER TABLE r DETACH PARTITION r_2 CONCURRENTLY", "r_rest", does="55000",
    ),
    "detach concurrently without": Case(
        "LG704", (RANGES, "CREATE TABLE r_2 PARTITION OF r FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')"),
        "ALTER TABLE r DETACH PARTITION r_2 CONCURRENTLY", silent=True,
    ),
    # --- views, functions, rights
    "refresh of what has no key": Case(
        "LG721", (PARENT, "CREATE MATERIALIZED VIEW m AS SELECT * FROM parent"), "REFRESH MATERIALIZED VIEW m", "Make a unique index",
    ),
    "refresh without a unique index": Case(
        "LG725", (PARENT, "CREATE MATERIALIZED VIEW m AS SELECT * FROM parent"), "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
        "unique index", does="55000",
    ),
    "refresh with a unique index": Case(
        "LG725", (PARENT, "CREATE MATERIALIZED VIEW m AS SELECT * FROM parent", "CREATE UNIQUE INDEX ON m (id)"),
        "REFRESH MATERIALIZED VIEW CONCURRENTLY m", silent=True,
    ),
    "refresh of what was never filled": Case(
        "LG725", (PARENT, "CREATE MATERIALIZED VIEW m AS SELECT * FROM parent WITH NO DATA", "CREATE UNIQUE INDEX ON m (id)"),
        "REFRESH MATERIALIZED VIEW CONCURRENTLY m", "never been filled", does="0A000",
    ),
    "type of a column that a view reads": Case(
        "LG321", (PARENT, "CREATE VIEW v AS SELECT code FROM parent", "GRANT SELECT ON v TO PUBLIC"),
        "ALTER TABLE parent ALTER code TYPE varchar(9)", "view public.v", does="0A000",
    ),
    "type of a column that a view does not read": Case(
        "LG321", (PARENT, "CREATE VIEW v AS SELECT id FROM parent"), "ALTER TABLE parent ALTER code TYPE varchar(9)", silent=True,
    ),
    "type while the row type is used": Case(
        "LG321", (PARENT, "CREATE TABLE holds (p parent)"), "ALTER TABLE parent ALTER code TYPE varchar(9)", "public.holds.p",
        does="0A000",
    ),
    "type of a column of a policy": Case(
        "LG321", (PARENT, "CREATE POLICY p ON parent USING (code = 'a')"), "ALTER TABLE parent ALTER code TYPE varchar(9)",
        "policy", does="0A000",
    ),
    "drop of a column that a view reads": Case(
        "LG622", (PARENT, "CREATE VIEW v AS SELECT code FROM parent"), "ALTER TABLE parent DROP code", "view public.v",
        does="2BP01",
    ),
    "drop of a table that is referred to": Case(
        "LG622", (PARENT, CHILD, "ALTER TABLE child ADD CONSTRAINT fk FOREIGN KEY (parent) REFERENCES parent"),
        "DROP TABLE parent", "foreign key fk of public.child", does="2BP01",
    ),
    "drop of both": Case(
        "LG622", (PARENT, CHILD, "ALTER TABLE child ADD CONSTRAINT fk FOREIGN KEY (parent) REFERENCES parent"),
        "DROP TABLE parent, child", silent=True,
    ),
    "drop after its view": Case(
        "LG622", (PARENT, "CREATE VIEW v AS SELECT code FROM parent"), "DROP VIEW v; ALTER TABLE parent DROP code", silent=True,
    ),
    "cascade": Case(
        "LG603", (PARENT, "CREATE VIEW v AS SELECT code FROM parent", "CREATE VIEW w AS SELECT code FROM v"),
        "DROP TABLE parent CASCADE", "view public.v, view public.w",
    ),
    "rename of what a function names": Case(
        "LG621", (PARENT, "CREATE FUNCTION f() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM parent); END'"),
        "ALTER TABLE parent RENAME TO parents", "public.f()",
    ),
    "rename of a column of a trigger": Case(
        "LG621", (PARENT, "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.code := 1; RETURN NEW; END'",
                  "CREATE TRIGGER t BEFORE INSERT ON parent FOR EACH ROW EXECUTE FUNCTION f()"),
        "ALTER TABLE parent RENAME code TO label", "each write",
    ),
    "rename that the function follows": Case(
        "LG621", (PARENT, "CREATE FUNCTION f() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM parent); END'"),
        "ALTER TABLE parent RENAME TO parents; CREATE OR REPLACE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
        silent=True,
    ),
    "function of an index": Case(
        "LG731", (PARENT, "CREATE FUNCTION f(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT upper($1)'",
                  "CREATE INDEX i ON parent (f(code))"),
        "CREATE OR REPLACE FUNCTION f(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower($1)'", "index public.i",
    ),
    "function of nothing": Case(
        "LG731", (PARENT, "CREATE FUNCTION f(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT upper($1)'"),
        "CREATE OR REPLACE FUNCTION f(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower($1)'", silent=True,
    ),
    "key of a published table": Case(
        "LG749", (PARENT, "CREATE PUBLICATION p FOR TABLE parent"), "ALTER TABLE parent DROP CONSTRAINT parent_pkey",
        "public.parent",
    ),
    "key of a published table for another key": Case(
        "LG749", (PARENT, "CREATE PUBLICATION p FOR TABLE parent"),
        "ALTER TABLE parent DROP CONSTRAINT parent_pkey; ALTER TABLE parent ADD PRIMARY KEY (id)", silent=True,
    ),
    "key of one that is not published": Case("LG749", (PARENT,), "ALTER TABLE parent DROP CONSTRAINT parent_pkey", silent=True),
    "grants of a view": Case(
        "LG605", (PARENT, "CREATE VIEW v AS SELECT code FROM parent", "GRANT SELECT ON v TO PUBLIC"),
        "DROP VIEW v; CREATE VIEW v AS SELECT id FROM parent", "GRANT SELECT ON public.v TO PUBLIC",
    ),
    "grants of a view that are given again": Case(
        "LG605", (PARENT, "CREATE VIEW v AS SELECT code FROM parent", "GRANT SELECT ON v TO PUBLIC"),
        "DROP VIEW v; CREATE VIEW v AS SELECT id FROM parent; GRANT SELECT ON v TO PUBLIC", severity="low",
    ),
    "row security without policies": Case("LG744", (PARENT,), "ALTER TABLE parent ENABLE ROW LEVEL SECURITY", "As parent has no policy"),
    "row security with a policy": Case(
        "LG744", (PARENT, "CREATE POLICY p ON parent USING (true)"), "ALTER TABLE parent ENABLE ROW LEVEL SECURITY", silent=True,
    ),
    # --- columns and types
    "a default that is volatile": Case(
        "LG201", (PARENT, "CREATE FUNCTION v() RETURNS int LANGUAGE sql AS 'SELECT 1'"), "ALTER TABLE parent ADD n int DEFAULT v()",
        "is volatile.",
    ),
    "a default that is stable": Case(
        "LG201", (PARENT, "CREATE FUNCTION s() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1'"), "ALTER TABLE parent ADD n int DEFAULT s()",
        silent=True,
    ),
    "a domain with a constraint": Case(
        "LG206", (PARENT, "CREATE DOMAIN pos AS int CHECK (VALUE > 0)"), "ALTER TABLE parent ADD n pos", "domain",
    ),
    "a domain without": Case("LG206", (PARENT, "CREATE DOMAIN pos AS int"), "ALTER TABLE parent ADD n pos", silent=True),
    "a required column of a table with rows": Case(
        "LG210", (PARENT, ROWS), "ALTER TABLE parent ADD n int NOT NULL", "", does="23502",
    ),
    "a required column of an empty table": Case("LG210", (PARENT,), "ALTER TABLE parent ADD n int NOT NULL", silent=True),
    "texts that are no numbers": Case(
        "LG306", (PARENT, ROWS), "ALTER TABLE parent ALTER code TYPE int USING code::int", "20 rows", does="22P02",
    ),
    "texts that are numbers": Case(
        "LG306", (PARENT, "INSERT INTO parent VALUES (1, '7')"), "ALTER TABLE parent ALTER code TYPE int USING code::int", silent=True,
    ),
    "a shorter text": Case(
        "LG306", (PARENT, "INSERT INTO parent VALUES (1, 'abc'), (2, 'ab  ')"), "ALTER TABLE parent ALTER code TYPE varchar(2)",
        "1 row", does="22001",
    ),
    "a smaller number": Case(
        "LG306", ("CREATE TABLE n (b bigint)", "INSERT INTO n VALUES (3000000000), (1)"), "ALTER TABLE n ALTER b TYPE int",
        "1 row", does="22003",
    ),
    "a rounded number": Case(
        "LG302", ("CREATE TABLE n (b numeric(9,2))", "INSERT INTO n VALUES (1.5), (2.00)"), "ALTER TABLE n ALTER b TYPE numeric(9,0)",
        "1 row",
    ),
    "a number that is not rounded": Case(
        "LG302", ("CREATE TABLE n (b numeric(9,2))", "INSERT INTO n VALUES (2.00)"), "ALTER TABLE n ALTER b TYPE numeric(9,0)", silent=True,
    ),
    "exclusion without an operator class": Case(
        "LG405", (PARENT,), "ALTER TABLE parent ADD EXCLUDE USING gist (id WITH =)", "operator class", does="42704",
    ),
    "wider only": Case(
        "LG301", ("CREATE TABLE n (b varchar(9))",), "ALTER TABLE n ALTER b TYPE varchar(19)", silent=True,
    ),
    "a small table": Case("LG401", (PARENT, ROWS, "UPDATE parent SET code = 'c'", "ANALYZE parent"), "ALTER TABLE parent ALTER code SET NOT NULL", severity="low"),
    "a table that nobody has analyzed": Case("LG401", (PARENT, ROWS), "ALTER TABLE parent ALTER code SET NOT NULL", severity="high"),
    "a few large rows": Case(
        "LG401", (PARENT, "ALTER TABLE parent ALTER code SET STORAGE PLAIN", "INSERT INTO parent SELECT i, repeat('x', 4000) FROM generate_series(1, 500) i", "ANALYZE parent"),
        "ALTER TABLE parent ALTER code SET NOT NULL", severity="high",
    ),
    "a default of a function that is not there yet": Case(
        "LG201", (PARENT,), "CREATE FUNCTION s() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1'; ALTER TABLE parent ADD n int DEFAULT s()",
        "is volatile, as functions are by default", severity="medium",
    ),
    "nothing that identifies rows of a published table": Case(
        "LG747", (PARENT, "CREATE PUBLICATION p FOR TABLE parent"), "ALTER TABLE parent REPLICA IDENTITY NOTHING", severity="high",
    ),
    "nothing that identifies rows of one that is not": Case("LG747", (PARENT,), "ALTER TABLE parent REPLICA IDENTITY NOTHING", severity="low"),
    "set not null that a CHECK would imply": Case(
        "LG401", (PARENT, "ALTER TABLE parent ADD CHECK (code IS NOT NULL) NOT VALID"), "ALTER TABLE parent ALTER code SET NOT NULL",
    ),
    "set not null that a CHECK implies": Case(
        "LG401", (PARENT, "ALTER TABLE parent ADD CHECK (code IS NOT NULL)"), "ALTER TABLE parent ALTER code SET NOT NULL", silent=True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_rule_tells_what_the_server_does(conn: Conn, name: str) -> None:
    case = CASES[name]
    major = conn.info.server_version // 10000
    if major < case.least:
        pytest.skip(f"PostgreSQL {major} does not know the statement")
    make(conn, *case.before)
    found = of(examined(conn, case.text), case.code)
    if case.silent or major > case.most:
        assert found == []
    else:
        assert len(found) == 1, found
        assert case.says in f"{found[0].what} {found[0].why} {found[0].rewrite}", found[0]
        assert case.severity in {"", found[0].severity}
    state = None
    try:
        for statement in case.text.split(";"):
            conn.execute(statement.encode())
    except psycopg.Error as error:
        state = error.sqlstate
    assert state == (case.does if major <= case.most else None)


@pytest.mark.one_server
def test_each_rule_has_both_kinds_of_case() -> None:
    codes = {each.rule.code for each in TOLD}
    assert codes <= {case.code for case in CASES.values() if case.silent}
    assert codes <= {case.code for case in CASES.values() if not case.silent}


def test_an_invalid_index_is_told_from_a_good_one(conn: Conn) -> None:
    make(conn, CHILD, "INSERT INTO child VALUES (1, 1), (2, 1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        conn.execute("CREATE UNIQUE INDEX CONCURRENTLY one ON child (parent)")
    (found,) = of(examined(conn, "CREATE INDEX CONCURRENTLY IF NOT EXISTS one ON child (parent)"), "LG123")
    assert "public.one is there, and is INVALID" in found.what
    make(conn, *found.rewrite.split(";\n"))
    assert of(examined(conn, "CREATE INDEX CONCURRENTLY IF NOT EXISTS one ON child (parent)"), "LG123") == []
    assert of(examined(conn, "CREATE INDEX two ON child (parent)"), "LG121") != []


def test_values_of_rows_are_shown_only_when_they_are_wanted(conn: Conn) -> None:
    make(conn, PARENT, "INSERT INTO parent VALUES (1, 'private'), (2, 'private')")
    text = "CREATE UNIQUE INDEX u ON parent (code); ALTER TABLE parent ADD CHECK (code <> 'private') NOT VALID"
    assert "private" not in str(examined(conn, text))
    assert "For example: private." in str(of(examined(conn, text, examples=True), "LG421"))


def test_what_an_earlier_text_does_is_known(conn: Conn) -> None:
    make(conn, PARENT, CHILD, "CREATE INDEX a ON child (parent)", "INSERT INTO parent VALUES (1, NULL)")
    first = "DROP INDEX a; ALTER TABLE parent ALTER code TYPE varchar(9); CREATE TABLE fresh (x int)"
    second = "CREATE INDEX b ON child (parent); ALTER TABLE parent ALTER code SET NOT NULL; ALTER TABLE fresh ADD y int NOT NULL"
    found = examined(conn, first, second)
    assert [code for code in ("LG121", "LG425") if of(found, code)] == []


def test_what_cannot_be_looked_at_is_said(conn: Conn) -> None:
    role = f"reader_{conn.info.dbname[-12:]}"
    make(conn, PARENT, f"CREATE ROLE {role}")
    try:
        conn.execute(f"SET ROLE {role}".encode())
        (found,) = of(examined(conn, "ALTER TABLE parent ALTER code SET NOT NULL"), "LG425")
        assert (found.severity, found.not_looked) == (
            "low", (f"whether public.parent.code holds a NULL (role {role} may not read public.parent)",),
        )  # fmt: skip
    finally:
        conn.execute("RESET ROLE")
        conn.execute(f"DROP ROLE {role}".encode())


@pytest.mark.parametrize(
    "statement", ["UPDATE parent SET code = 'x'", "DO $$ BEGIN UPDATE parent SET code = 'x'; END $$"]
)
def test_rows_that_a_statement_before_changes_are_not_a_sure_failure(conn: Conn, statement: str) -> None:
    make(conn, PARENT, "INSERT INTO parent VALUES (1, NULL)")
    (found,) = of(examined(conn, f"{statement}; ALTER TABLE parent ALTER code SET NOT NULL"), "LG425")
    assert (found.severity, "the count is of now" in found.why) == ("medium", True)
