"""Without sync, a SELECT that can neither be kept in step nor read in pieces is copied whole, by one statement."""

from __future__ import annotations

import pytest

from lockgate.errors import MappingRefused, PlanError
from lockgate.mapping.describe import describe
from tests.integration.mapping.harness import Bench, Rows, Step
from tests.integration.mapping.test_checking import check

TABLES = """
CREATE TABLE old.o (id int PRIMARY KEY, customer int, total numeric(12, 2), status text);
CREATE TABLE old.c (id int PRIMARY KEY, name text, boss int);
CREATE TABLE new.c (customer int PRIMARY KEY, total numeric, n bigint);
INSERT INTO old.o SELECT n, 1 + n % 7, n, 'new' FROM generate_series(1, 3000) AS n;
INSERT INTO old.c SELECT n, 'c' || n, nullif(n / 2, 0) FROM generate_series(1, 10) AS n;
ANALYZE old.o, old.c
"""
STEP: Step = {"map": "sums", "into": "new.c", "key": ["customer"], "from_": "old.o", "sync": "none", "winner": []}
GROUPED = "SELECT o.customer, sum(o.total) AS total, count(*) AS n FROM old.o o GROUP BY o.customer"

# What it is -> the SELECT.
FORMS = {
    "GROUP BY": GROUPED,
    "GROUP BY by number": "SELECT o.customer, sum(o.total) AS total, count(*) AS n FROM old.o o GROUP BY 1",
    "HAVING": GROUPED + " HAVING count(*) > 428",
    "a CTE": f"WITH s AS ({GROUPED}) SELECT s.customer, s.total, s.n FROM s",
    "a recursive CTE": """
        WITH RECURSIVE chain (id, top) AS (
            SELECT c.id, c.id FROM old.c c WHERE c.boss IS NULL
            UNION ALL SELECT c.id, p.top FROM old.c c JOIN chain p ON p.id = c.boss)
        SELECT chain.id AS customer, chain.top AS total, o.id AS n FROM chain JOIN old.o o ON o.id = chain.id""",
    "UNION": """
        SELECT o.customer, max(o.total) AS total, 1::bigint AS n FROM old.o o WHERE o.id < 100 GROUP BY 1
        UNION SELECT 100 + c.id, NULL, 0 FROM old.c c""",
    "a window function": """
        SELECT x.customer, x.total, x.n FROM (
            SELECT o.customer, o.total, row_number() OVER (PARTITION BY o.customer ORDER BY o.id) AS n FROM old.o o
        ) AS x WHERE x.n = 1""",
    "a scalar subquery": """
        SELECT c.id AS customer, (SELECT sum(o.total) FROM old.o o WHERE o.customer = c.id) AS total, 1 AS n
        FROM old.c c JOIN old.o x ON x.id = c.id""",
    "FULL JOIN": """
        SELECT coalesce(c.id, 100 + o.id) AS customer, o.total, 1 AS n
        FROM old.c c FULL JOIN (SELECT * FROM old.o WHERE id < 5) o ON o.id = c.id""",
    "DISTINCT ON of a UNION": """
        SELECT DISTINCT ON (u.customer) u.customer, u.total, u.n FROM (
            SELECT o.customer, o.total, 1 AS n FROM old.o o UNION ALL SELECT c.id, 0, 2 FROM old.c c) AS u
        ORDER BY u.customer, u.total DESC""",
    "an aggregate of all": "SELECT min(o.customer) AS customer, sum(o.total) AS total, count(*) AS n FROM old.o o",
    "a set-returning function": "SELECT generate_series(o.id, o.id) AS customer, o.total, 1 AS n FROM old.o o",
    "DISTINCT below": "SELECT d.customer, 1 AS total, 2 AS n FROM (SELECT DISTINCT customer FROM old.o) AS d",
    "a trailing comment": GROUPED + "; -- that is all",
}


def expected(bench: Bench, select: str) -> Rows:
    inner = select.partition(";")[0]
    return bench.rows(f"SELECT customer, total, n FROM ({inner}) AS q WHERE customer IS NOT NULL ORDER BY 1, 2, 3")


@pytest.mark.parametrize("form", FORMS)
def test_what_is_copied_is_what_it_yields(bench: Bench, form: str) -> None:
    """Of all rows: a chunk of the source has other sums than all of it."""
    bench.sql(TABLES)
    words = [] if form.startswith(("GROUP BY", "HAVING", "a trailing", "DISTINCT ON")) else ["n", "total"]
    mapped = bench.define(**STEP | {"select": FORMS[form], "winner": words})
    assert mapped.chunks_left() == 1
    mapped.backfill()
    mapped.drain()
    held = bench.rows("SELECT customer, total, n FROM new.c ORDER BY 1, 2, 3")
    assert held == expected(bench, FORMS[form])
    assert len(held) > 3 or form == "an aggregate of all"
    mapped.assert_agrees()
    accounts = mapped.account()
    assert accounts.adds_up
    assert (accounts.of, accounts.source_rows, accounts.migrated) == ("yielded rows", len(held), len(held))


def test_the_check_says_what_it_accounts_for_and_notices_a_difference(bench: Bench) -> None:
    bench.sql(TABLES)
    bench.map(**STEP, select=GROUPED)
    found = check(bench, "sums")
    assert found.passed
    assert found.what.startswith("sums: 7 yielded rows = 7 migrated + 0 merged + 0 rejected; ")
    assert found.evidence[1].result["of"] == "yielded rows"
    bench.sql("UPDATE new.c SET total = 0 WHERE customer = 3")
    found = check(bench, "sums")
    assert not found.passed
    assert "1 different" in found.what


def test_rows_without_a_key_and_rows_that_lose_theirs_are_counted(bench: Bench) -> None:
    bench.sql(TABLES, "UPDATE old.o SET customer = NULL WHERE id = 1")
    select = (
        "SELECT o.customer, o.total, 1 AS n FROM old.o o WHERE o.id < 10 UNION ALL SELECT 5, 100000, 2 FROM old.c c"
    )
    mapped = bench.map(**STEP | {"winner": ["total DESC", "n"]}, select=select)
    accounts = mapped.account()
    assert bench.one("SELECT total FROM new.c WHERE customer = 5") == 100000
    assert accounts.adds_up
    assert (accounts.source_rows, accounts.migrated, accounts.merged) == (19, 7, 11)
    assert accounts.rejected_by_reason == {"null key": 1}


def test_a_key_that_is_there_already_is_made_equal(bench: Bench) -> None:
    """What the application had made before gives way, and is the application's again after the undo."""
    bench.sql(TABLES, "INSERT INTO new.c VALUES (3, 1, 1), (99, 1, 1)")
    mapped = bench.map(**STEP, select=GROUPED)
    mapped.assert_agrees()
    assert bench.one("SELECT n FROM new.c WHERE customer = 3") > 1
    assert mapped.account().born == 1


def test_two_mappings_of_one_table_one_of_them_whole(bench: Bench) -> None:
    """The first has the priority; the other's account is of its source."""
    bench.sql(TABLES)
    whole = bench.map(**STEP, select=GROUPED)
    rest = STEP | {"map": "rest", "from_": "old.c", "winner": []}
    plain = bench.map(**rest, select="SELECT c.id AS customer, NULL::numeric AS total, 0 AS n FROM old.c c")
    plain.assert_agrees()
    assert bench.rows("SELECT count(*), count(total) FROM new.c") == [(10, 7)]
    found = plain.account()
    assert (found.of, found.source_rows, found.migrated, found.merged) == ("source rows", 10, 3, 7)
    accounts = whole.account()
    assert (accounts.source_rows, accounts.migrated, accounts.merged, accounts.adds_up) == (7, 7, 0, True)


def test_the_plan_says_that_it_is_copied_whole(bench: Bench) -> None:
    bench.sql(TABLES)
    told = "\n".join(describe(bench.conn, bench.compile(**STEP, select=GROUPED)))
    assert "copied whole, by one statement in one transaction" in told
    assert "the rows that it yields are accounted for, not those that it reads" in told
    plain = "SELECT o.id AS customer, o.total, 1 AS n FROM old.o o"
    assert "copied whole" not in "\n".join(describe(bench.conn, bench.compile(**STEP, select=plain)))


SOURCES = {
    "view": "CREATE VIEW old.s AS SELECT id, total FROM old.o",
    "foreign table": "",
    "inheritance parent": "CREATE TABLE old.s (id int, total numeric); CREATE TABLE old.child () INHERITS (old.s); "
    "INSERT INTO old.child SELECT id, total FROM old.o",
    "materialized view": "CREATE MATERIALIZED VIEW old.s AS SELECT id, total FROM old.o",
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_whose_rows_are_not_in_blocks_of_its_own(bench: Bench, source: str) -> None:
    """It has no block ranges, or they are not all of it: nothing would be copied, or not all."""
    bench.sql(TABLES)
    if source == "foreign table":
        name, host = bench.app.info.dbname, bench.app.info.host
        bench.sql(
            "CREATE EXTENSION postgres_fdw",
            f"CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname '{name}', host '{host}')",
            "CREATE USER MAPPING FOR CURRENT_USER SERVER here OPTIONS (user 'postgres')",
            "CREATE FOREIGN TABLE old.s (id int, total numeric) SERVER here "
            "OPTIONS (schema_name 'old', table_name 'o')",
        )
    else:
        bench.sql(SOURCES[source])
    step = STEP | {"from_": "old.s", "winner": ["total"] if source != "materialized view" else ["s.total"]}
    mapped = bench.map(**step, select="SELECT s.id AS customer, s.total, 1 AS n FROM old.s s")
    assert bench.one("SELECT count(*) FROM new.c") == 3000
    mapped.assert_agrees()
    accounts = mapped.account()
    assert accounts.adds_up
    assert accounts.of == ("source rows" if source == "materialized view" else "yielded rows")


def test_a_transform_is_not_driven_by_a_view(bench: Bench) -> None:
    """It would change nothing, and say that it is done."""
    bench.sql(TABLES, SOURCES["view"])
    step: Step = {"transform": "t", "table": "new.c", "key": ["customer"], "from_": "old.s", "sync": "none"}
    with pytest.raises(MappingRefused, match="cannot drive the batches"):
        bench.compile(**step, select="SELECT s.id AS customer, s.total FROM old.s s")


def test_what_is_read_in_pieces_goes_on_to_be(bench: Bench) -> None:
    bench.sql(TABLES)
    step = STEP | {"select": "SELECT o.id AS customer, o.total, extract(epoch FROM now()) AS n FROM old.o o"}
    bench.sql("ALTER TABLE new.c ALTER n TYPE numeric")
    assert bench.define(**step).chunks_left() > 5


# What is wrong -> (what is changed of the step, what is said).
REFUSED: dict[str, tuple[Step, str]] = {
    "a winner is missing": ({"select": GROUPED.replace("GROUP BY", "GROUP BY o.status,")}, "several rows may yield"),
    "a set of rows for a group": (
        {"select": "SELECT o.customer, generate_series(1, 2) AS n FROM old.o o GROUP BY o.customer"},
        "several rows may yield",
    ),
    "grouping sets": (
        {"select": "SELECT o.customer, count(*) AS n FROM old.o o GROUP BY GROUPING SETS ((o.customer), ())"},
        "several rows may yield",
    ),
    "LIMIT": ({"select": f"{GROUPED} LIMIT 3"}, "LIMIT and OFFSET may yield other rows"),
    "LIMIT below": (
        {"select": f"SELECT x.* FROM ({GROUPED} OFFSET 3) AS x", "winner": ["n"]},
        "LIMIT and OFFSET may yield other rows",
    ),
    "FOR UPDATE": ({"select": "SELECT o.id AS customer FROM old.o o FOR UPDATE"}, "lock the old model"),
    "TABLESAMPLE": (
        {"select": "SELECT o.id AS customer FROM old.o o TABLESAMPLE SYSTEM (10)"},
        "TABLESAMPLE yields other rows",
    ),
    "a WITH query that writes": (
        {"select": f"WITH d AS (DELETE FROM old.c RETURNING id) {GROUPED}"},
        "that writes cannot be in a mapping",
    ),
    "a table without its schema": ({"select": GROUPED.replace("old.o o", "o")}, "named without its schema"),
    "no table": ({"select": "SELECT 1 AS customer, count(*) AS n FROM generate_series(1, 2)"}, "reads no table"),
    "the time": ({"select": GROUPED.replace("count(*)", "date_part('year', max(CURRENT_DATE))::int")}, "current time"),
    "a winner over what it reads": ({"select": GROUPED, "winner": ["o.id"]}, "cannot be ordered by o.id"),
    "reasons": ({"select": GROUPED, "rejected": {"none": "o.customer IS NULL"}}, "`rejected` is about single rows"),
    "another table to read": ({"select": GROUPED, "from_": "old.c"}, "does not read old.c"),
    "with sync": ({"select": GROUPED, "sync": "deferred"}, "GROUP BY cannot be kept in step"),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_what_cannot_be_copied_whole_either(bench: Bench, wrong: str) -> None:
    """Found before anything runs."""
    bench.sql(TABLES)
    changed, said = REFUSED[wrong]
    with pytest.raises(PlanError, match=said):
        bench.compile(**STEP | changed)


def test_a_transform_is_not_copied_whole(bench: Bench) -> None:
    bench.sql(TABLES)
    step: Step = {"transform": "t", "table": "new.c", "key": ["customer"], "from_": "old.o", "sync": "none"}
    with pytest.raises(MappingRefused, match="GROUP BY cannot be kept in step"):
        bench.compile(**step, select=GROUPED)
