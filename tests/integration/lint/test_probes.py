"""Questions about rows, answered by real servers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from lockgate.safety import snapshot
from lockgate.safety.probes import asking, converting, numbers
from lockgate.safety.probes.asking import Answer, Looked, Prober
from lockgate.safety.probes.bounds import MAXIMUM, MINIMUM, Bounds, belonging
from lockgate.safety.probes.keys import duplicates, orphans
from lockgate.safety.probes.rows import nulls, oversized, violating
from lockgate.safety.records import Column, Relation

Conn = psycopg.Connection[Any]
ODD = 'Odd "täble"; %s {}'


def prober(conn: Conn, *statements: str, examples: bool = True, limit: float = 30) -> Prober:
    """Asks the test's database, after these statements."""
    for statement in statements:
        conn.execute(statement.encode())
    return Prober(conn, snapshot.read(conn), timedelta(seconds=limit), examples=examples)


def table(asks: Prober, name: str) -> Relation:
    found = asks.facts.relation("", name)
    assert found is not None
    return found


def column(asks: Prober, relation: Relation, name: str) -> Column:
    found = asks.facts.column(relation.oid, name)
    assert found is not None
    return found


def test_nulls_of_an_oddly_named_table_without_a_key(conn: Conn) -> None:
    quoted = '"' + ODD.replace('"', '""') + '"'
    asks = prober(
        conn, f"CREATE TABLE {quoted} (a int, {quoted} int)", f"INSERT INTO {quoted} VALUES (1, NULL), (2, 2)"
    )
    answer = asks.ask(nulls(asks.facts, table(asks, ODD), [ODD]))
    assert (answer.found, answer.rows, str(answer), answer.examples) == (1, 2, "exact", (("(0,1)",),))
    assert asks.ask(nulls(asks.facts, table(asks, ODD), ["a"])).none


def test_examples_are_brought_only_when_they_are_wanted(conn: Conn) -> None:
    asks = prober(
        conn, "CREATE TABLE t (a int, b text, v int, PRIMARY KEY (a, b))",
        "INSERT INTO t SELECT i, 'k' || i, NULL FROM generate_series(1, 9) i", examples=False,
    )  # fmt: skip
    probe = nulls(asks.facts, table(asks, "t"), ["v"])
    assert asks.ask(probe) == Answer(Looked.EXACT, 9, 9)
    asks.examples = True
    assert asks.ask(probe).examples == (("1", "k1"), ("2", "k2"), ("3", "k3"), ("4", "k4"), ("5", "k5"))


def test_a_partition_of_a_keyless_row_is_named(conn: Conn) -> None:
    asks = prober(
        conn, "CREATE TABLE p (a int) PARTITION BY LIST (a)", "CREATE TABLE p_x PARTITION OF p DEFAULT",
        "INSERT INTO p VALUES (NULL)",
    )  # fmt: skip
    assert asks.ask(nulls(asks.facts, table(asks, "p"), ["a"])).examples == (("p_x", "(0,1)"),)


def test_rows_that_a_check_refuses(conn: Conn) -> None:
    asks = prober(
        conn, "CREATE TABLE t (a int PRIMARY KEY, s text)", "INSERT INTO t VALUES (1, '50%'), (2, '{}'), (3, NULL)"
    )
    answer = asks.ask(violating(asks.facts, table(asks, "t"), "t.s LIKE '%\\%' -- a comment"))
    assert (answer.found, answer.examples) == (1, (("2",),))


@pytest.mark.parametrize(("distinct", "found"), [(True, 2), (False, 4)])
def test_rows_that_share_a_key(conn: Conn, distinct: bool, found: int) -> None:
    asks = prober(
        conn, "CREATE TABLE t (a int, b text)",
        "INSERT INTO t VALUES (1, 'x'), (1, 'X'), (2, NULL), (2, NULL), (3, 'y'), (1, 'z')",
    )  # fmt: skip
    keys = [sql.SQL("a"), sql.SQL("lower(b)")]
    answer = asks.ask(duplicates(table(asks, "t"), keys, nulls_distinct=distinct))
    assert answer.found == found
    assert ("1", "x") in answer.examples
    partial = duplicates(table(asks, "t"), keys, predicate=sql.SQL("a > 1"))
    assert asks.ask(partial).none


@pytest.mark.parametrize(("full", "found"), [(False, (("1",),)), (True, (("1",), ("3",)))])
def test_rows_that_refer_to_nothing(conn: Conn, full: bool, found: tuple[tuple[str], ...]) -> None:
    asks = prober(
        conn, "CREATE TABLE parent (x bigint, y varchar(9), PRIMARY KEY (x, y))",
        "CREATE TABLE child (id int PRIMARY KEY, a int, b text)", "INSERT INTO parent VALUES (1, 'k')",
        "INSERT INTO child VALUES (1, 7, 'k'), (2, 1, 'k'), (3, NULL, 'k'), (4, NULL, NULL)",
    )  # fmt: skip
    probe = orphans(asks.facts, table(asks, "child"), ["a", "b"], table(asks, "parent"), ["x", "y"], match_full=full)
    answer = asks.ask(probe)
    assert (answer.found, answer.rows, answer.examples) == (len(found), 4, found)


def test_rows_too_large_for_an_index(conn: Conn) -> None:
    """The boundary is the server's: what is counted is what it refuses."""
    asks = prober(conn, "CREATE TABLE t (id int PRIMARY KEY, v text)", "ALTER TABLE t ALTER v SET STORAGE EXTERNAL")
    for number, length in enumerate((2600, 2687, 2688, 2689, 2692, 2700)):
        conn.execute("TRUNCATE t")
        conn.execute("INSERT INTO t VALUES (%s, repeat('x', %s))", (number, length))
        answer = asks.ask(oversized(asks.facts, table(asks, "t"), ["v"]))
        try:
            conn.execute("CREATE INDEX again ON t (v)")
            conn.execute("DROP INDEX again")
            refused = 0
        except psycopg.errors.ProgramLimitExceeded:
            refused = 1
        assert answer.found == refused, length
    conn.execute("ALTER TABLE t ALTER v SET STORAGE EXTENDED")
    conn.execute("INSERT INTO t VALUES (9, repeat('0', 9000))")
    assert asks.ask(oversized(asks.facts, table(asks, "t"), ["v"])).found == 1


BOUNDS = [
    (Bounds(lower=["2", "5"], upper=["3", "0"]), [(2, 5), (2, 9), (3, -1)]),
    (Bounds(lower=["2", MAXIMUM], upper=[MAXIMUM, MAXIMUM]), [(3, -1), (3, 0), (4, 4)]),
    (Bounds(lower=[MINIMUM, MINIMUM], upper=["2", MINIMUM]), [(1, 1)]),
]


@pytest.mark.parametrize(("bounds", "expected"), BOUNDS)
def test_rows_of_the_default_partition_that_a_new_one_is_for(
    conn: Conn, bounds: Bounds, expected: list[tuple[int, int]]
) -> None:
    """Said by the probe and by the server, which refuses them."""
    asks = prober(
        conn, "CREATE TABLE p (a int, b int) PARTITION BY RANGE (a, b)", "CREATE TABLE rest PARTITION OF p DEFAULT",
        "INSERT INTO p VALUES (1, 1), (2, 5), (2, 9), (3, -1), (3, 0), (4, 4), (NULL, 1)",
    )  # fmt: skip
    answer = asks.ask(belonging(asks.facts, table(asks, "rest"), ["a", "b"], bounds))
    assert answer.found == len(expected)
    said = {MINIMUM: "MINVALUE", MAXIMUM: "MAXVALUE"}
    lower, upper = (", ".join(said.get(datum, str(datum)) for datum in edge) for edge in (bounds.lower, bounds.upper))
    for row in expected:
        conn.execute("DELETE FROM rest WHERE (a, b) = (%s, %s)", row)
    conn.execute(f"CREATE TABLE new PARTITION OF p FOR VALUES FROM ({lower}) TO ({upper})".encode())


def test_values_of_a_list_in_the_default_partition(conn: Conn) -> None:
    asks = prober(
        conn, "CREATE TABLE p (a text) PARTITION BY LIST (lower(a))", "CREATE TABLE rest PARTITION OF p DEFAULT",
        "INSERT INTO p VALUES ('X'), ('y'), (NULL), ('z')",
    )  # fmt: skip
    rest = table(asks, "rest")
    assert asks.ask(belonging(asks.facts, rest, ["lower(a)"], Bounds(values=["'x'", None]))).found == 2
    assert asks.ask(belonging(asks.facts, rest, ["lower(a)"], Bounds(values=["'q'"]))).none


def test_texts_that_are_no_numbers(conn: Conn) -> None:
    asks = prober(
        conn, "CREATE TABLE t (id int PRIMARY KEY, v text)",
        "INSERT INTO t SELECT i, CASE WHEN i % 700 = 0 THEN 'n/a' ELSE i::text END FROM generate_series(1, 2000) i",
    )  # fmt: skip
    relation = table(asks, "t")
    by_trial = converting.failing(asks, relation, "v::int")
    assert (by_trial.found, by_trial.at_least, by_trial.examples) == (2, False, (("700",), ("1400",)))
    if asks.facts.version >= converting.VALIDATES:
        assert converting.unreadable(asks, relation, column(asks, relation, "v"), "integer").found == 2


def test_trying_ends_when_too_many_fail(conn: Conn) -> None:
    asks = prober(
        conn, "CREATE TABLE t (v text)", "INSERT INTO t SELECT 'no' FROM generate_series(1, 500)", examples=False
    )
    answer = converting.failing(asks, table(asks, "t"), "v::int")
    assert (answer.found, answer.count, answer.examples) == (100, "at least 100 rows", ())


def test_what_narrowing_cuts_off_and_rounds(conn: Conn) -> None:
    asks = prober(
        conn, "CREATE TABLE t (id int PRIMARY KEY, v varchar(10), n numeric(10,2), ts timestamp)",
        "INSERT INTO t VALUES (1, 'abc   ', 1.50, '2026-01-01 00:00'), (2, 'abcd', 1.55, '2026-01-01 10:00')",
        "INSERT INTO t (id) VALUES (3)",
    )  # fmt: skip
    relation = table(asks, "t")
    assert converting.too_long(asks, relation, column(asks, relation, "v"), 3).examples == (("2",),)
    changed = converting.changed(asks, relation, column(asks, relation, "n"), "numeric(10,2)", "numeric(10,1)")
    assert changed.examples == (("2",),)
    day = converting.changed(asks, relation, column(asks, relation, "ts"), "timestamp", "date")
    assert day.examples == (("2",),)


def test_a_sequence_that_is_behind(conn: Conn) -> None:
    asks = prober(conn, "CREATE TABLE t (id serial PRIMARY KEY)", "INSERT INTO t VALUES (1073741824)")
    relation, sequence = table(asks, "t"), table(asks, "t_id_seq")
    found = numbers.numbers(asks, relation, column(asks, relation, "id"), sequence)
    assert found.behind
    assert found.used is not None
    assert 0.5 < found.used < 0.51
    conn.execute("SELECT setval('t_id_seq', 1073741824)")
    assert not numbers.numbers(asks, relation, column(asks, relation, "id"), sequence).behind


def test_large_tables_are_sampled_and_time_is_limited(conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_LARGE", 0)
    monkeypatch.setattr(asking, "_SAMPLED", 8192 * 4)
    asks = prober(
        conn, "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t SELECT i FROM generate_series(1, 9999) i",
        "CREATE FUNCTION slow(int) RETURNS bool LANGUAGE plpgsql AS "
        "'BEGIN IF $1 = 9999 THEN PERFORM pg_sleep(600); END IF; RETURN false; END'", "ANALYZE t", limit=1,
    )  # fmt: skip
    relation = table(asks, "t")
    exact = asks.ask(nulls(asks.facts, relation, ["v"]))
    assert (exact.looked, exact.found) == (Looked.EXACT, 9999)
    sampled = asks.ask(violating(asks.facts, relation, "slow(id)"))
    assert sampled.looked is Looked.SAMPLED
    assert 0 < sampled.found == sampled.rows < 9999
    assert str(sampled) == f"sampled {sampled.rows:,} of about 9,999 rows"
    monkeypatch.setattr(asking, "_LARGE", 2**40)
    assert str(asks.ask(violating(asks.facts, relation, "slow(id)"))) == "not looked: timed out"


def test_what_a_role_may_not_read_is_said(conn: Conn) -> None:
    role = f"reader_{conn.info.dbname[-12:]}"
    asks = prober(
        conn, "CREATE TABLE t (a int, b int)", "INSERT INTO t VALUES (NULL, NULL)", f"CREATE ROLE {role}",
        f"GRANT SELECT (a) ON t TO {role}",
    )  # fmt: skip
    try:
        conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        relation = table(asks, "t")
        assert str(asks.ask(nulls(asks.facts, relation, ["b"]))) == f"not looked: role {role} may not read public.t"
        asks.examples = False
        assert asks.ask(nulls(asks.facts, relation, ["a"])).found == 1
        conn.execute("RESET ROLE")
        conn.execute("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        refused = asks.ask(nulls(asks.facts, relation, ["a"]))
        assert str(refused) == "not looked: the role may not read all of its rows"
    finally:
        conn.execute("RESET ROLE")
        conn.execute(f"DROP OWNED BY {role}".encode())
        conn.execute(f"DROP ROLE {role}".encode())


def test_no_probe_can_write(conn: Conn) -> None:
    asks = prober(
        conn, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)",
        "CREATE FUNCTION writes(int) RETURNS bool LANGUAGE sql AS 'INSERT INTO t VALUES (2) RETURNING true'",
    )  # fmt: skip
    answer = asks.ask(violating(asks.facts, table(asks, "t"), "writes(a)"))
    assert str(answer) == "not looked: the query failed with SQLSTATE 25006"
    assert conn.execute("SELECT count(*) FROM t").fetchone() == (1,)
