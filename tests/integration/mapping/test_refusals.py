"""SELECTs that cannot be kept exact: each is refused before anything runs, with the place and the reason."""

from __future__ import annotations

import pytest

from lockgate.errors import MappingRefused, PlanError, PrivilegeMissing
from lockgate.mapping import analysis, changelog
from tests.integration.mapping.harness import Bench, Step

TABLES = """
CREATE TABLE old.p (id int PRIMARY KEY, b int, v text, n int, at timestamptz, day date, doc jsonb);
CREATE TABLE old.b (id int PRIMARY KEY, v text);
CREATE TABLE old.parent (id int PRIMARY KEY, v text);
CREATE TABLE old.child () INHERITS (old.parent);
CREATE UNLOGGED TABLE old.unlogged (id int PRIMARY KEY, v text);
CREATE VIEW old.view AS SELECT id, v FROM old.p;
CREATE MATERIALIZED VIEW old.matview AS SELECT id, v FROM old.p;
CREATE SEQUENCE old.seq;
CREATE FUNCTION old.stable(text) RETURNS text LANGUAGE sql STABLE AS 'SELECT $1';
CREATE FUNCTION old.volatile(text) RETURNS text LANGUAGE sql VOLATILE AS 'SELECT $1';
CREATE TABLE new.c (id int PRIMARY KEY, v text)
"""
STEP: Step = {"map": "m", "into": "new.c", "key": ["id"], "from_": "old.p"}
FROM = "FROM old.p s"

# What is wrong -> (the SELECT, the word at which it is, what is said). No word: the SELECT as a whole.
SHAPES = {
    "UNION": (f"SELECT s.id, s.v {FROM} UNION ALL SELECT b.id, b.v FROM old.b b", "b.id", "UNION"),
    "EXCEPT": (f"SELECT s.id, s.v {FROM} EXCEPT SELECT b.id, b.v FROM old.b b", "b.id", "EXCEPT"),
    "INTERSECT": (f"SELECT s.id, s.v {FROM} INTERSECT SELECT b.id, b.v FROM old.b b", "b.id", "INTERSECT"),
    "GROUP BY": (f"SELECT s.id, 'x' AS v {FROM} GROUP BY s.id", "s.id", "GROUP BY"),
    "HAVING": (f"SELECT 1 AS id, 'x' AS v {FROM} HAVING count(*) > 1", "count", "HAVING"),
    "an aggregate": (f"SELECT 1 AS id, max(s.v) AS v {FROM}", "max", "an aggregate"),
    "count(*)": (f"SELECT count(*) AS id, 'x' AS v {FROM}", "count", "an aggregate"),
    "an ordered-set aggregate": (
        f"SELECT 1 AS id, mode() WITHIN GROUP (ORDER BY s.v) AS v {FROM}",
        "mode",
        "an aggregate",
    ),
    "a window function": (f"SELECT row_number() OVER (ORDER BY s.id) AS id, s.v {FROM}", "row_number", "window"),
    "WINDOW": (f"SELECT s.id, s.v {FROM} WINDOW w AS (ORDER BY s.n)", "(ORDER", "window"),
    "LIMIT": (f"SELECT s.id, s.v {FROM} LIMIT 10", "10", "LIMIT"),
    "OFFSET": (f"SELECT s.id, s.v {FROM} OFFSET 10", "10", "LIMIT"),
    "FETCH FIRST": (f"SELECT s.id, s.v {FROM} FETCH FIRST 3 ROWS ONLY", "3", "LIMIT"),
    "ORDER BY": (f"SELECT s.id, s.v {FROM} ORDER BY s.n", "s.n", "ORDER BY"),
    "FOR UPDATE": (f"SELECT s.id, s.v {FROM} FOR UPDATE OF s", "s", "FOR UPDATE"),
    "SELECT INTO": (f"SELECT s.id, s.v INTO old.z {FROM}", "old.z", "SELECT INTO"),
    "no FROM": ("SELECT 1 AS id, 'x' AS v", None, "without FROM"),
    "VALUES": ("VALUES (1, 'x')", None, "VALUES"),
    "FULL JOIN": (f"SELECT s.id, s.v {FROM} FULL JOIN old.b b ON b.id = s.b", "old.b", "only inner and LEFT"),
    "RIGHT JOIN": (f"SELECT s.id, s.v {FROM} RIGHT JOIN old.b b ON b.id = s.b", "old.b", "only inner and LEFT"),
    "NATURAL JOIN": (f"SELECT s.id, s.v {FROM} NATURAL JOIN old.b b", "old.b", "NATURAL"),
    "LEFT JOIN USING": (f"SELECT s.id, s.v {FROM} LEFT JOIN old.b b USING (id)", "old.b", "USING"),
    "TABLESAMPLE": (f"SELECT s.id, s.v {FROM} TABLESAMPLE BERNOULLI (10)", "BERNOULLI", "TABLESAMPLE"),
    "WITH RECURSIVE": (
        f"WITH RECURSIVE r AS (SELECT 1 AS i UNION SELECT i + 1 FROM r) SELECT s.id, s.v {FROM}",
        "WITH",
        "RECURSIVE",
    ),
    "a WITH query that writes": (
        f"WITH w AS (DELETE FROM old.b RETURNING id) SELECT s.id, s.v {FROM}",
        "w AS",
        "writes",
    ),
    "WITH in a subquery": (
        f"SELECT s.id, s.v {FROM} WHERE EXISTS (WITH w AS (SELECT 1) SELECT FROM w)",
        "WITH",
        "WITH",
    ),
    "a scalar subquery": (
        f"SELECT s.id, (SELECT b.v FROM old.b b WHERE b.id = s.b) AS v {FROM}",
        "(SELECT",
        "subquery",
    ),
    "IN (subquery)": (f"SELECT s.id, s.v {FROM} WHERE s.b IN (SELECT b.id FROM old.b b)", "IN", "subquery"),
    "NOT IN (subquery)": (f"SELECT s.id, s.v {FROM} WHERE s.b NOT IN (SELECT b.id FROM old.b b)", "NOT IN", "subquery"),
    "ANY (subquery)": (f"SELECT s.id, s.v {FROM} WHERE s.b = ANY (SELECT b.id FROM old.b b)", "=", "subquery"),
    "EXISTS below OR": (
        f"SELECT s.id, s.v {FROM} WHERE s.n = 1 OR EXISTS (SELECT FROM old.b b)",
        "EXISTS",
        "subquery",
    ),
    "EXISTS as an output": (f"SELECT s.id, EXISTS (SELECT FROM old.b b)::text AS v {FROM}", "EXISTS", "subquery"),
    "a subquery in ON": (
        f"SELECT s.id, s.v {FROM} JOIN old.b b ON b.id = s.b AND b.id IN (SELECT p.id FROM old.p p)",
        "IN",
        "subquery",
    ),
    "DISTINCT in FROM": (
        f"SELECT s.id, d.v {FROM} JOIN (SELECT DISTINCT b.v FROM old.b b) d ON true",
        "b.v",
        "DISTINCT",
    ),
    "a limit in FROM": (f"SELECT s.id, d.v {FROM} JOIN (SELECT b.v FROM old.b b LIMIT 1) d ON true", "1", "LIMIT"),
    "a system column": (f"SELECT s.id, s.v {FROM} WHERE s.xmin IS NOT NULL", "s.xmin", "xmin"),
    "a parameter": (f"SELECT s.id, s.v {FROM} WHERE s.id = $1", "$1", "parameter"),
    "no schema": ("SELECT s.id, s.v FROM p s", "p s", "without its schema"),
    "columns named anew": ("SELECT s.a AS id, s.c AS v FROM old.p AS s (a, b, c)", "old.p", "named anew"),
    "CURRENT_DATE": (f"SELECT s.id, s.v {FROM} WHERE s.day < CURRENT_DATE", "CURRENT_DATE", "current time"),
    "now()": (f"SELECT s.id, s.v {FROM} WHERE s.at < now()", "now", "now() is stable"),
    "random()": (f"SELECT s.id, random()::text AS v {FROM}", "random", "random() is volatile"),
    "a stable function": (f"SELECT s.id, old.stable(s.v) AS v {FROM}", "old.stable", "is stable"),
    "a volatile function": (f"SELECT s.id, old.volatile(s.v) AS v {FROM}", "old.volatile", "is volatile"),
    "nextval": (f"SELECT nextval('old.seq')::int AS id, s.v {FROM}", "nextval", "is volatile"),
    "a stable cast to text": (f"SELECT s.id, s.at::text AS v {FROM}", "::", "timestamptz_out"),
    "a stable cast from text": (f"SELECT s.id, s.v {FROM} WHERE s.v::timestamptz = s.at", "::", "timestamptz_in"),
    "a stable operator": (f"SELECT s.id, s.n || s.v AS v {FROM}", "||", "is stable"),
    "a stable function in ON": (
        f"SELECT s.id, s.v {FROM} JOIN old.b b ON b.v = to_char(s.at, 'YYYY')",
        "to_char",
        "is stable",
    ),
    "a stable function in EXISTS": (
        f"SELECT s.id, s.v {FROM} WHERE EXISTS (SELECT FROM old.b b WHERE b.v = old.stable(s.v))",
        "old.stable",
        "is stable",
    ),
    "a set-returning function as an output": (
        f"SELECT s.id, jsonb_array_elements_text(s.doc) AS v {FROM}",
        "jsonb_array_elements_text",
        "set-returning",
    ),
    "a view": ("SELECT s.id, x.v FROM old.p s JOIN old.view x ON x.id = s.id", "old.view", "is a view"),
    "a materialized view": ("SELECT s.id, x.v FROM old.p s JOIN old.matview x ON true", "old.matview", "materialized"),
    "an inheritance parent": ("SELECT s.id, x.v FROM old.p s JOIN old.parent x ON true", "old.parent", "inheritance"),
    "an unlogged table": ("SELECT s.id, x.v FROM old.p s JOIN old.unlogged x ON true", "old.unlogged", "permanent"),
    "a catalog": ("SELECT s.id, x.relname AS v FROM old.p s, pg_catalog.pg_class x", "pg_catalog.pg_class", "server"),
    "an unknown table": ("SELECT s.id, x.v FROM old.p s JOIN old.bb x ON true", "old.bb", 'no table "old.bb"'),
    "an unknown column": (f"SELECT s.id,\n       s.w AS v\n  {FROM}", "s.w", "column s.w does not exist"),
    "an unknown alias": (f"SELECT s.id, x.v {FROM}", "x.v", "missing FROM-clause"),
    "an unknown function": (f"SELECT s.id, nothing(s.v) AS v {FROM}", "nothing", "does not exist"),
    "an unknown type": (f"SELECT s.id, s.v::nothing AS v {FROM}", "nothing", "does not exist"),
    "a wrong operator": (f"SELECT s.id, s.v {FROM} WHERE s.v = s.id", "=", "operator does not exist"),
    "two outputs of one name": (f"SELECT s.id, s.v, s.n AS v {FROM}", None, "more than once"),
    "a syntax error": (f"SELECT s.id, s.v FROM {FROM}", "FROM old.p", "syntax error"),
    "two statements": (f"SELECT s.id, s.v {FROM}; DROP TABLE old.b", None, "one statement"),
    "another statement": ("DELETE FROM old.p", None, "is a SELECT"),
    "an output that is no column": (f"SELECT s.id, s.n AS vv {FROM}", None, 'no column "vv"'),
    "no key": (f"SELECT s.v {FROM}", None, 'does not yield the key column "id"'),
    "Unicode before it": (f"SELECT s.id, 'é ключ' || s.v || old.stable(s.v) AS v {FROM}", "old.stable", "is stable"),
}


def judge(bench: Bench, select: str, word: str | None, what: str) -> str:
    """What is wrong with how a SELECT is refused; empty if nothing is."""
    try:
        bench.compile(**STEP, select=select)
    except PlanError as error:
        where = str(error.where)
        if what not in str(error):
            return f"it says {error}"
        if word is None:
            return "" if where.startswith(("select", "key")) else f"it is at {where}"
        place, _, offset = where.partition("@")
        pointed = select[int(offset or 0) :]
        right = place == "select" and offset and pointed.startswith(word)
        return "" if right else f"it points at {pointed[:20]!r}: {error}"
    return "it is not refused"


def test_each_shape_is_refused_at_its_place(bench: Bench) -> None:
    """The error says what and where; the place is the first word of what is wrong."""
    bench.sql(TABLES)
    wrong = {shape: answer for shape, case in SHAPES.items() if (answer := judge(bench, *case))}
    assert wrong == {}


def test_a_near_name_is_named(bench: Bench) -> None:
    """Of a table, a column, an output, a key, and the driving relation."""
    bench.sql(
        TABLES,
        "CREATE TABLE old.people (id int PRIMARY KEY, mail text)",
        "CREATE TABLE new.t (id int PRIMARY KEY, mail text)",
    )
    step: Step = {"map": "m", "into": "new.t", "key": ["id"], "from_": "old.people"}
    select = "SELECT s.id, s.mail FROM old.people s"
    for wrong, near in (
        ({"select": select.replace("people s", "peple s")}, "old.people"),
        ({"select": select.replace("s.mail", "s.mial AS mail")}, "mail"),
        ({"select": select.replace("s.mail", "s.mail AS mial")}, "mail"),
        ({"into": "new.tt"}, "new.t"),
        ({"from_": "old.peopel"}, "old.people"),
    ):
        with pytest.raises(PlanError) as error:
            bench.compile(**step | {"select": select} | wrong)
        assert near in str(error.value.hint), error.value


def test_a_relation_that_cannot_drive_the_batches_is_refused(bench: Bench) -> None:
    """Each yielded row must come from one of its rows."""
    bench.sql(TABLES)
    for from_, what in (
        ("old.b", "cannot drive"),
        ("old.parent", "does not read"),
        ("old.p", "is read 2 times"),
        ("old.p t", "cannot drive"),
        ("old.p x", "does not read"),
    ):
        select = "SELECT s.id, b.v FROM old.p s JOIN old.p q ON q.id = s.n LEFT JOIN old.b b ON b.id = s.b "
        select += "WHERE EXISTS (SELECT FROM old.p t WHERE t.n = s.n)"
        with pytest.raises(PlanError, match=what) as error:
            bench.compile(**STEP | {"from_": from_, "select": select})
        assert error.value.where == "from"


def test_without_sync_what_changes_with_time_is_allowed_and_what_aggregates_is_not_cut(bench: Bench) -> None:
    """A chunk would aggregate its own rows only."""
    bench.sql(TABLES, "INSERT INTO old.p (id, v) VALUES (1, 'x')")
    step = STEP | {"sync": "none"}
    mapped = bench.define(
        **step, select=f"SELECT s.id, old.volatile(s.v) AS v {FROM} WHERE s.id < extract(epoch FROM now())"
    )
    assert mapped.backfill() == 1
    for aggregate in ("max(s.v)", "row_number() OVER (ORDER BY s.id)::text"):
        select = f"SELECT 1 AS id, {aggregate} AS v {FROM}"
        assert bench.compile(**step, select=select).select.whole
        with pytest.raises(MappingRefused):
            bench.compile(**STEP, select=select)


def test_generated_columns_and_missing_values_are_refused(bench: Bench) -> None:
    """What the server fills by itself cannot be written; what nobody fills cannot be NULL."""
    bench.sql(TABLES)
    for column, what in (
        ("w int GENERATED ALWAYS AS (id + 1) STORED", 'column "w" is generated'),
        ("w int GENERATED ALWAYS AS IDENTITY", 'column "w" is generated'),
    ):
        bench.sql("DROP TABLE IF EXISTS new.g", f"CREATE TABLE new.g (id int PRIMARY KEY, {column})")
        with pytest.raises(PlanError, match=what):
            bench.compile(**STEP | {"into": "new.g", "select": f"SELECT s.id, s.n AS w {FROM}"})
        bench.compile(**STEP | {"into": "new.g", "select": f"SELECT s.id {FROM}"})
    bench.sql("DROP TABLE new.g", "CREATE TABLE new.g (id int PRIMARY KEY, w int NOT NULL)")
    with pytest.raises(PlanError, match="is NOT NULL, has no default"):
        bench.compile(**STEP | {"into": "new.g", "select": f"SELECT s.id {FROM}"})
    bench.compile(**STEP | {"into": "new.g", "select": f"SELECT s.id {FROM}", "on_insert": {"w": "0"}})


def test_a_missing_privilege_is_named_with_the_grant(bench: Bench) -> None:
    """Before anything runs."""
    role = bench.role()
    bench.sql(TABLES, f"GRANT USAGE ON SCHEMA old, new TO {role}")
    bench.conn.execute(f"SET ROLE {role}".encode())
    with pytest.raises(PrivilegeMissing, match="permission denied for table p") as error:
        bench.compile(**STEP, select=f"SELECT s.id, s.v {FROM}")
    assert "GRANT SELECT" in str(error.value.hint)
    bench.sql(f"GRANT SELECT ON old.p TO {role}")
    with pytest.raises(PrivilegeMissing, match="cannot be written") as error:
        bench.compile(**STEP, select=f"SELECT s.id, s.v {FROM}")
    assert "GRANT SELECT, INSERT, UPDATE, DELETE" in str(error.value.hint)


@pytest.mark.parametrize("table", ["old.p", "new.c"])
def test_row_security_that_would_hide_rows_is_refused(bench: Bench, table: str) -> None:
    """A filtered read would make the applier delete valid rows: an error instead, and which role may."""
    role = bench.role()
    bench.sql(
        TABLES,
        f"GRANT USAGE ON SCHEMA old, new TO {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA old, new TO {role}",
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY few ON {table} USING (id < 5)",
    )
    select = f"SELECT s.id, s.v {FROM}"
    bench.conn.execute(f"SET ROLE {role}".encode())
    with pytest.raises(PrivilegeMissing, match="row-level security") as error:
        bench.compile(**STEP, select=select)
    assert "BYPASSRLS" in str(error.value.hint)
    bench.sql(f"ALTER ROLE {role} BYPASSRLS")
    bench.compile(**STEP, select=select)


def test_every_session_of_the_tool_turns_row_security_into_an_error(bench: Bench) -> None:
    """Whoever forgets to ask is told, and reads nothing."""
    assert bench.conn.execute("SHOW row_security").fetchone() == ("off",)


def test_more_columns_than_a_change_log_can_hold(bench: Bench) -> None:
    """Said before anything runs; also where two mappings come to it together, and of the values from before."""
    columns = ", ".join(f"c{number} int" for number in range(850))
    bench.sql(f"CREATE TABLE old.wide (id int PRIMARY KEY, {columns})")
    bench.sql("CREATE TABLE new.c (LIKE old.wide INCLUDING ALL); CREATE TABLE new.d (LIKE old.wide INCLUDING ALL)")
    step: Step = {"map": "m", "into": "new.c", "key": ["id"], "from_": "old.wide"}
    with pytest.raises(MappingRefused, match=r"851 columns of old\.wide") as error:
        bench.compile(**step, select="SELECT s.* FROM old.wide s")
    assert error.value.where == "select"
    bench.patch.setattr(changelog, "MOST_COLUMNS", 3)
    bench.compile(**step, select="SELECT s.id, s.c1, s.c2, s.c3 FROM old.wide s", sync="none")
    bench.define(**step, select="SELECT s.id, s.c1, s.c2 FROM old.wide s")
    with pytest.raises(MappingRefused, match=r"4 columns of old\.wide"):
        bench.define(**step | {"map": "o", "into": "new.d"}, select="SELECT s.id, s.c1, s.c3 FROM old.wide s")
    bench.patch.setattr(analysis, "_TABLE_COLUMNS", 4)
    step = {"transform": "t", "table": "new.c", "key": ["id"], "from_": "old.wide", "sync": "none"}
    with pytest.raises(MappingRefused, match="values of before"):
        bench.compile(**step, select="SELECT s.id, s.c1, s.c2 FROM old.wide s")
    bench.compile(**step, select="SELECT s.id, s.c1 FROM old.wide s")


def test_the_advice_of_the_server_is_passed_on(bench: Bench) -> None:
    """A name that it knows is asked for; other advice is given as it is."""
    bench.sql(TABLES, 'ALTER TABLE old.p ADD c text COLLATE "C", ADD d text COLLATE "POSIX"')
    with pytest.raises(PlanError) as error:
        bench.compile(**STEP, select="SELECT s.id, s.doz AS v FROM old.p s")
    assert error.value.hint == 'did you mean "s.doc"?'
    with pytest.raises(PlanError) as error:
        bench.compile(**STEP, select="SELECT s.id, s.c || s.d AS v FROM old.p s")
    assert error.value.hint == "Use the COLLATE clause to set the collation explicitly."
