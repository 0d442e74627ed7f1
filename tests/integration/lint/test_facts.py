"""What is read of a database, against what was made there."""

from __future__ import annotations

from typing import Any

import psycopg

from lockgate.safety import snapshot
from lockgate.safety.facts import Facts
from lockgate.safety.records import Relation

Conn = psycopg.Connection[Any]

MODEL = """
CREATE SCHEMA "Od""d";
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN free AS positive;
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TABLE "Od""d"."Täble" (
    "Id" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "näme" varchar(20) COLLATE "C" NOT NULL DEFAULT 'x',
    m mood, p free, twice int GENERATED ALWAYS AS (p * 2) STORED, CONSTRAINT "p>1" CHECK (p > 1) NOT VALID);
CREATE FUNCTION loud(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT upper($1)';
CREATE INDEX "an index" ON "Od""d"."Täble" (loud("näme"), m DESC) INCLUDE (p) WHERE m = 'sad';
CREATE TABLE calls (id int, at date, t bigint REFERENCES "Od""d"."Täble" MATCH FULL ON DELETE CASCADE)
    PARTITION BY RANGE (at);
CREATE TABLE calls_1 PARTITION OF calls FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE calls_rest PARTITION OF calls DEFAULT;
CREATE VIEW seen AS SELECT "näme", m FROM "Od""d"."Täble";
CREATE MATERIALIZED VIEW kept AS SELECT id FROM calls WITH NO DATA;
CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER fire BEFORE UPDATE OF m ON "Od""d"."Täble" FOR EACH ROW EXECUTE FUNCTION fires();
ALTER TABLE "Od""d"."Täble" ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON "Od""d"."Täble" USING (m = 'glad');
CREATE PUBLICATION out FOR TABLE calls_1;
CREATE PUBLICATION inserts FOR TABLE calls_rest WITH (publish = 'insert');
INSERT INTO calls VALUES (1, '2026-01-02', NULL), (2, '2027-01-02', NULL);
ANALYZE;
"""


def read(conn: Conn, *statements: str) -> Facts:
    """The facts after these statements."""
    for statement in statements:
        conn.execute(statement.encode())
    return snapshot.read(conn)


def test_all_that_a_database_holds_is_read(conn: Conn) -> None:
    facts = read(conn, MODEL, "GRANT SELECT ON seen TO PUBLIC")
    table = facts.relation('Od"d', "Täble")
    assert table is not None
    assert (table.kind, table.row_security, table.policies, table.published) == ("r", True, 1, False)
    columns = {column.name: column for column in facts.columns[table.oid]}
    assert list(columns) == ["Id", "näme", "m", "p", "twice"]
    assert (columns["Id"].identity, columns["Id"].not_null) == ("a", True)
    assert columns["näme"].typmod == 24
    assert columns["näme"].default == "'x'::character varying"
    assert (columns["twice"].generated, columns["twice"].default) == ("s", "((p)::integer * 2)")
    assert facts.domain_constrained(columns["p"].type)
    assert facts.types[facts.base_type(columns["p"].type)].name == "int4"
    assert facts.types[columns["m"].type].labels == ("sad", "glad")
    check = next(found for found in facts.constraints_of(table.oid) if found.name == "p>1")
    assert (check.type, check.validated, check.columns) == ("c", True, (4,))

    index = facts.index('Od"d', "an index")
    assert index is not None
    assert (index.keys, index.sorted_by, index.options) == ((0, 3, 4), (0, 3), (0, 3))
    assert index.expressions == 'public.loud(("näme")::text)'
    assert index.predicate == "(m = 'sad'::public.mood)"
    assert not index.identifies_rows
    key = facts.primary_key(table.oid)
    assert key is not None
    assert key.identifies_rows

    _partitions(facts, table)

    uses = {(use.kind, use.name, use.column) for use in facts.uses_of(table.oid)}
    assert {("view", "public.seen", 2), ("view", "public.seen", 3)} <= uses
    assert ("policy", 'mine on "Od""d"."Täble"', 3) in uses
    assert ("trigger", 'fire on "Od""d"."Täble"', 3) in uses
    assert any(kind == "default value" and column == 4 for kind, _, column in uses)
    (loud,) = facts.functions_named("", "loud")
    assert (loud.volatility, loud.identity, loud.takes(1), loud.takes(2)) == ("i", "public.loud(text)", True, False)
    assert [use.name for use in facts.uses_of_function(loud.oid)] == ['"Od""d"."an index"']
    view = facts.relation("", "seen")
    assert view is not None
    assert facts.grants[view.oid].statements == ("GRANT SELECT ON public.seen TO PUBLIC",)
    kept = facts.relation("", "kept")
    assert kept is not None
    assert not kept.populated


def test_a_table_that_was_never_analyzed_has_no_estimate(conn: Conn) -> None:
    facts = read(conn, "CREATE TABLE t (a int)")
    relation = facts.relation("", "t")
    assert relation is not None
    assert facts.rows_of(relation) is None


def test_names_are_looked_for_along_the_search_path(conn: Conn) -> None:
    facts = read(
        conn, "CREATE SCHEMA a", "CREATE SCHEMA b", "CREATE TABLE b.t (x int)", "CREATE TABLE a.t (x int)",
        "SET search_path = b, a",
    )  # fmt: skip
    found = facts.relation("", "t")
    assert found is not None
    assert found.schema == "b"
    assert facts.relation("", "pg_class") is None
    assert conn.execute("SHOW search_path").fetchone() == ("b, a",)


def test_all_tables_and_schemas_may_be_published(conn: Conn) -> None:
    facts = read(conn, "CREATE TABLE t (x int)", "CREATE PUBLICATION p FOR TABLES IN SCHEMA public")
    assert (found := facts.relation("", "t")) is not None
    assert found.published
    facts = read(conn, "DROP PUBLICATION p", "CREATE UNLOGGED TABLE u (x int)", "CREATE PUBLICATION p FOR ALL TABLES")
    assert (found := facts.relation("", "t")) is not None
    assert found.published
    assert (found := facts.relation("", "u")) is not None
    assert not found.published


def _partitions(facts: Facts, table: Relation) -> None:
    calls = facts.relation("", "calls")
    assert calls is not None
    assert calls.partitioned_by == "RANGE (at)"
    assert [part.name for part in facts.partitions_of(calls.oid)] == ["calls_1", "calls_rest"]
    rest = facts.relation("public", "calls_rest")
    assert rest is not None
    assert calls.default_partition == rest.oid
    assert not rest.published
    first = facts.relation("public", "calls_1")
    assert first is not None
    assert first.published
    assert first.bounds == "FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')"
    assert facts.rows_of(calls) == 2
    (reference,) = facts.references_to(table.oid)
    assert (reference.relation, reference.match_full, reference.on_delete) == (calls.oid, True, "c")
