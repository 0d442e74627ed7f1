"""A schema with something of each kind, and statements that change one property of it each."""

from __future__ import annotations

SCHEMA = """
CREATE SCHEMA s;
CREATE TYPE s.mood AS ENUM ('sad', 'ok');
CREATE DOMAIN s.positive AS int CHECK (VALUE > 0);
CREATE TYPE s.pair AS (a int, b text);
CREATE TYPE s.span AS RANGE (subtype = int);
CREATE SEQUENCE s.numbers;
CREATE TABLE s.u (id int PRIMARY KEY);
CREATE TABLE s.t (id bigint PRIMARY KEY, n int DEFAULT 1, m s.mood, p s.positive, name varchar(20), u int
    CONSTRAINT t_u_fkey REFERENCES s.u, made timestamptz NOT NULL DEFAULT now());
CREATE INDEX t_n ON s.t (n);
CREATE UNIQUE INDEX t_made ON s.t (made);
CREATE STATISTICS s.stat (ndistinct) ON n, name FROM s.t;
CREATE VIEW s.v AS SELECT id, n FROM s.t WHERE n > 0 AND EXISTS (SELECT FROM s.u WHERE s.u.id = s.t.u);
CREATE MATERIALIZED VIEW s.mv AS SELECT n, count(*) FROM s.t GROUP BY n;
CREATE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION s.g(a int DEFAULT 1) RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM s.t WHERE n = a; END;
CREATE FUNCTION s.h() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION s.same(s.pair, s.pair) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE AGGREGATE s.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE TRIGGER tr BEFORE INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION s.f();
CREATE RULE r AS ON DELETE TO s.u DO INSTEAD NOTHING;
CREATE POLICY pol ON s.t USING (n > 0);
CREATE TABLE s.parts (x int, at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE s.part1 PARTITION OF s.parts FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
CREATE TRIGGER tp AFTER INSERT ON s.parts FOR EACH ROW EXECUTE FUNCTION s.f();
CREATE TABLE s.base (a int);
CREATE TABLE s.kid (a int);
CREATE TABLE "s"."Odd ""T"" é" ("x y" int);
CREATE PUBLICATION pub FOR TABLE s.u;
"""

FINE_PRINT = 'ALTER TABLE s."Odd ""T"" é"'
# What is done, what takes it back, and how the difference is told.
CHANGES = [
    ("ALTER TABLE s.t ADD x int", "ALTER TABLE s.t DROP x", "column s.t.x: should not be there"),
    (
        "ALTER TABLE s.t ALTER name TYPE text",
        "ALTER TABLE s.t ALTER name TYPE varchar(20)",
        "column s.t.name: type text, expected character varying(20)",
    ),
    (
        'ALTER TABLE s.t ALTER name TYPE varchar(20) COLLATE "C"',
        'ALTER TABLE s.t ALTER name TYPE varchar(20) COLLATE "default"',
        'column s.t.name: collation "C", expected none',
    ),
    (
        "ALTER TABLE s.t ALTER n SET DEFAULT 2",
        "ALTER TABLE s.t ALTER n SET DEFAULT 1",
        "column s.t.n: default 2, expected 1",
    ),
    (
        "ALTER TABLE s.t ALTER n SET NOT NULL",
        "ALTER TABLE s.t ALTER n DROP NOT NULL",
        "column s.t.n: null refused, expected allowed",
    ),
    (
        "ALTER TABLE s.t ALTER id ADD GENERATED ALWAYS AS IDENTITY",
        "ALTER TABLE s.t ALTER id DROP IDENTITY",
        "column s.t.id: identity always, expected none",
    ),
    (
        "ALTER TABLE s.t ALTER name SET STORAGE EXTERNAL",
        "ALTER TABLE s.t ALTER name SET STORAGE EXTENDED",
        "column s.t.name: storage external, expected none",
    ),
    (
        "ALTER TABLE s.t ALTER name SET COMPRESSION pglz",
        "ALTER TABLE s.t ALTER name SET COMPRESSION default",
        "column s.t.name: compression pglz, expected none",
    ),
    (
        "ALTER TABLE s.t ALTER n SET STATISTICS 500",
        "ALTER TABLE s.t ALTER n SET STATISTICS -1",
        "column s.t.n: statistics target 500, expected none",
    ),
    (
        "ALTER TABLE s.t ALTER n SET (n_distinct = 5)",
        "ALTER TABLE s.t ALTER n RESET (n_distinct)",
        "column s.t.n: options n_distinct=5, expected none",
    ),
    (
        "GRANT SELECT ON s.t TO PUBLIC",
        "REVOKE SELECT ON s.t FROM PUBLIC",
        "grant s.t to PUBLIC: should not be there",
    ),
    ("GRANT ALL ON s.numbers TO PUBLIC", "REVOKE ALL ON s.numbers FROM PUBLIC", "grant s.numbers to PUBLIC"),
    ("GRANT UPDATE (n) ON s.t TO PUBLIC", "REVOKE UPDATE (n) ON s.t FROM PUBLIC", "grant s.t.n to PUBLIC"),
    ("GRANT USAGE ON SCHEMA s TO PUBLIC", "REVOKE USAGE ON SCHEMA s FROM PUBLIC", "grant schema s to PUBLIC"),
    (
        "REVOKE EXECUTE ON FUNCTION s.g FROM PUBLIC",
        "GRANT EXECUTE ON FUNCTION s.g TO PUBLIC",
        "grant s.g(integer) to PUBLIC: should not be there",
    ),
    (
        "REVOKE USAGE ON TYPE s.mood FROM PUBLIC",
        "GRANT USAGE ON TYPE s.mood TO PUBLIC",
        "grant type s.mood to PUBLIC",
    ),
    (
        "ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO PUBLIC",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA s REVOKE SELECT ON TABLES FROM PUBLIC",
        "grant new tables of postgres in schema s to PUBLIC: should not be there",
    ),
    ("COMMENT ON TABLE s.t IS 'x'", "COMMENT ON TABLE s.t IS NULL", "comment table s.t: should not be there"),
    ("COMMENT ON COLUMN s.t.n IS 'x'", "COMMENT ON COLUMN s.t.n IS NULL", "comment table column s.t.n"),
    (
        "COMMENT ON CONSTRAINT t_pkey ON s.t IS 'x'",
        "COMMENT ON CONSTRAINT t_pkey ON s.t IS NULL",
        "comment table cons",
    ),
    ("COMMENT ON INDEX s.t_n IS 'x'", "COMMENT ON INDEX s.t_n IS NULL", "comment index s.t_n"),
    ("COMMENT ON TYPE s.mood IS 'x'", "COMMENT ON TYPE s.mood IS NULL", "comment type s.mood"),
    ("COMMENT ON SCHEMA s IS 'x'", "COMMENT ON SCHEMA s IS NULL", "comment schema s"),
    (
        "ALTER TABLE s.t ADD CONSTRAINT c CHECK (n > 0)",
        "ALTER TABLE s.t DROP CONSTRAINT c",
        "constraint s.t.c: should not be there",
    ),
    (
        "ALTER TABLE s.t ALTER CONSTRAINT t_u_fkey DEFERRABLE INITIALLY DEFERRED",
        "ALTER TABLE s.t ALTER CONSTRAINT t_u_fkey NOT DEFERRABLE",
        "constraint s.t.t_u_fkey: definition FOREIGN KEY (u) REFERENCES s.u(id) DEFERRABLE INITIALLY DEFERRED, exp",
    ),
    (
        "ALTER TABLE s.t DROP CONSTRAINT t_u_fkey, ADD CONSTRAINT t_u_fkey FOREIGN KEY (u) REFERENCES s.u NOT VALID",
        "ALTER TABLE s.t VALIDATE CONSTRAINT t_u_fkey",
        "constraint s.t.t_u_fkey: validated no, expected yes",
    ),
    (
        "ALTER TABLE s.u DISABLE TRIGGER ALL",
        "ALTER TABLE s.u ENABLE TRIGGER ALL",
        "constraint s.t.t_u_fkey: enforced no, expected none",
    ),
    ("DROP INDEX s.t_n", "CREATE INDEX t_n ON s.t (n)", "index s.t_n: is missing"),
    (
        "DROP INDEX s.t_n; CREATE INDEX t_n ON s.t (n DESC)",
        "DROP INDEX s.t_n; CREATE INDEX t_n ON s.t (n)",
        "index s.t_n: definition CREATE INDEX t_n ON s.t USING btree (n DESC), expected CREATE INDEX t_n ON s.t",
    ),
    (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 's.t_n'::regclass",
        "UPDATE pg_index SET indisvalid = true WHERE indexrelid = 's.t_n'::regclass",
        "index s.t_n: valid no, expected yes",
    ),
    (
        "ALTER TABLE s.t CLUSTER ON t_n",
        "ALTER TABLE s.t SET WITHOUT CLUSTER",
        "index s.t_n: clustered yes, expected none",
    ),
    (
        "ALTER TABLE s.t REPLICA IDENTITY USING INDEX t_made",
        "ALTER TABLE s.t REPLICA IDENTITY DEFAULT",
        "index s.t_made: replica identity yes, expected none",
    ),
    (
        "ALTER TABLE s.t REPLICA IDENTITY FULL",
        "ALTER TABLE s.t REPLICA IDENTITY DEFAULT",
        "table s.t: replica identity full, expected none",
    ),
    (
        "ALTER STATISTICS s.stat SET STATISTICS 7",
        "ALTER STATISTICS s.stat SET STATISTICS -1",
        "statistics s.stat: target 7, expected none",
    ),
    (
        "DROP STATISTICS s.stat",
        "CREATE STATISTICS s.stat (ndistinct) ON n, name FROM s.t",
        "statistics s.stat: is missing",
    ),
    (
        "ALTER TABLE s.t DISABLE TRIGGER tr",
        "ALTER TABLE s.t ENABLE TRIGGER tr",
        "trigger s.t.tr: enabled no, expected yes",
    ),
    (
        "ALTER TABLE s.part1 DISABLE TRIGGER tp",
        "ALTER TABLE s.part1 ENABLE TRIGGER tp",
        "trigger s.part1.tp: should not be there",
    ),
    ("ALTER TABLE s.u DISABLE RULE r", "ALTER TABLE s.u ENABLE RULE r", "rule s.u.r: enabled no, expected yes"),
    (
        "ALTER POLICY pol ON s.t USING (n > 1)",
        "ALTER POLICY pol ON s.t USING (n > 0)",
        "policy s.t.pol: using (n > 1), expected (n > 0)",
    ),
    (
        "ALTER TABLE s.t ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE s.t DISABLE ROW LEVEL SECURITY",
        "table s.t: row security on, expected off",
    ),
    (
        "ALTER TABLE s.t FORCE ROW LEVEL SECURITY",
        "ALTER TABLE s.t NO FORCE ROW LEVEL SECURITY",
        "table s.t: row security for the owner yes, expected none",
    ),
    ("ALTER PUBLICATION pub ADD TABLE s.t", "ALTER PUBLICATION pub DROP TABLE s.t", "published table pub s.t"),
    (
        "ALTER PUBLICATION pub SET (publish = 'insert')",
        "ALTER PUBLICATION pub SET (publish = 'insert, update, delete, truncate')",
        "publication pub: publishes insert, expected insert, update, delete, truncate",
    ),
    (
        "ALTER PUBLICATION pub ADD TABLES IN SCHEMA s",
        "ALTER PUBLICATION pub DROP TABLES IN SCHEMA s",
        "published schema pub s: should not be there",
    ),
    (
        "ALTER SEQUENCE s.numbers INCREMENT 2",
        "ALTER SEQUENCE s.numbers INCREMENT 1",
        "sequence s.numbers: increment 2",
    ),
    (
        "ALTER SEQUENCE s.numbers OWNED BY s.t.n",
        "ALTER SEQUENCE s.numbers OWNED BY NONE",
        "sequence s.numbers: owned by",
    ),
    (
        "ALTER DOMAIN s.positive SET DEFAULT 3",
        "ALTER DOMAIN s.positive DROP DEFAULT",
        "domain s.positive: default 3, expected none",
    ),
    (
        "ALTER DOMAIN s.positive DROP CONSTRAINT positive_check",
        "ALTER DOMAIN s.positive ADD CONSTRAINT positive_check CHECK (VALUE > 0)",
        "constraint s.positive.positive_check: is missing",
    ),
    (
        "ALTER TYPE s.pair ADD ATTRIBUTE c int",
        "ALTER TYPE s.pair DROP ATTRIBUTE c",
        "column s.pair.c: should not be",
    ),
    (
        "CREATE OR REPLACE VIEW s.v AS SELECT id, n FROM s.t WHERE n > 1",
        "CREATE OR REPLACE VIEW s.v AS SELECT id, n FROM s.t WHERE n > 0 AND EXISTS "
        "(SELECT FROM s.u WHERE s.u.id = s.t.u)",
        "view s.v: definition SELECT id, n FROM s.t WHERE (n > 1);, expected SELECT",
    ),
    (
        "ALTER VIEW s.v SET (security_barrier = true)",
        "ALTER VIEW s.v RESET (security_barrier)",
        "view s.v: options security_barrier=true, expected none",
    ),
    (
        "REFRESH MATERIALIZED VIEW s.mv WITH NO DATA",
        "REFRESH MATERIALIZED VIEW s.mv",
        "materialized view s.mv: populated no, expected yes",
    ),
    (
        "CREATE OR REPLACE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE OR REPLACE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "function s.f(): source BEGIN RETURN NULL; END, expected BEGIN RETURN NEW; END",
    ),
    (
        "ALTER FUNCTION s.g STABLE",
        "ALTER FUNCTION s.g VOLATILE",
        "function s.g(integer): volatility stable, expected vol",
    ),
    (
        "ALTER FUNCTION s.g SECURITY DEFINER",
        "ALTER FUNCTION s.g SECURITY INVOKER",
        "function s.g(integer): security definer, expected invoker",
    ),
    (
        "ALTER FUNCTION s.g SET search_path = s",
        "ALTER FUNCTION s.g RESET search_path",
        "function s.g(integer): settings search_path=s, expected none",
    ),
    (
        "ALTER FUNCTION s.g STRICT",
        "ALTER FUNCTION s.g CALLED ON NULL INPUT",
        "function s.g(integer): NULL on NULL input",
    ),
    (
        "DROP AGGREGATE s.total(int)",
        "CREATE AGGREGATE s.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')",
        "aggr",
    ),
    (
        "CREATE OPERATOR s.=== (LEFTARG = s.pair, RIGHTARG = s.pair, FUNCTION = s.same)",
        "DROP OPERATOR s.=== (s.pair, s.pair)",
        "operator s.===(s.pair,s.pair): should not be there",
    ),
    (
        "CREATE CAST (s.pair AS text) WITH INOUT",
        "DROP CAST (s.pair AS text)",
        "cast s.pair as text: should not be there",
    ),
    ('CREATE COLLATION s.c FROM "C"', "DROP COLLATION s.c", "collation s.c: should not be there"),
    (
        "CREATE TEXT SEARCH CONFIGURATION s.c (PARSER = default)",
        "DROP TEXT SEARCH CONFIGURATION s.c",
        "text search configuration s.c: should not be there",
    ),
    (
        "CREATE TEXT SEARCH DICTIONARY s.d (TEMPLATE = simple)",
        "DROP TEXT SEARCH DICTIONARY s.d",
        "text search dictionary s.d: should not be there",
    ),
    (
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER far FOREIGN DATA WRAPPER w",
        "DROP FOREIGN DATA WRAPPER w CASCADE",
        "foreign server far: should not be there",
    ),
    (
        "CREATE OPERATOR CLASS s.ops FOR TYPE s.pair USING hash AS STORAGE s.pair",
        "DROP OPERATOR FAMILY s.ops USING hash",
        "operator class s.ops using hash: should not be there",
    ),
    ("DROP TYPE s.span", "CREATE TYPE s.span AS RANGE (subtype = int)", "type s.span: is missing"),
    (
        "ALTER TABLE s.base SET (fillfactor = 70)",
        "ALTER TABLE s.base RESET (fillfactor)",
        "options fillfactor=70",
    ),
    (
        "ALTER TABLE s.base SET UNLOGGED",
        "ALTER TABLE s.base SET LOGGED",
        "table s.base: persistence unlogged, expected log",
    ),
    (
        "ALTER TABLE s.kid INHERIT s.base",
        "ALTER TABLE s.kid NO INHERIT s.base",
        "table s.kid: inherits from s.base",
    ),
    (
        "ALTER TABLE s.parts DETACH PARTITION s.part1; ALTER TABLE s.parts ATTACH PARTITION s.part1 "
        "FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-03-01 00:00+00')",
        "ALTER TABLE s.parts DETACH PARTITION s.part1; ALTER TABLE s.parts ATTACH PARTITION s.part1 "
        "FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00')",
        "table s.part1: bounds FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-03-01 00:00:00+00'), expected",
    ),
    (
        "ALTER TABLE s.t OWNER TO pg_monitor",
        "ALTER TABLE s.t OWNER TO postgres",
        "table s.t: owner pg_monitor, expected",
    ),
    (
        "ALTER SCHEMA s OWNER TO pg_monitor",
        "ALTER SCHEMA s OWNER TO postgres",
        "schema s: owner pg_monitor, expected",
    ),
    (
        "ALTER TYPE s.mood OWNER TO pg_monitor",
        "ALTER TYPE s.mood OWNER TO postgres",
        "enum s.mood: owner pg_monitor",
    ),
    (
        "CREATE EVENT TRIGGER ev ON ddl_command_end WHEN TAG IN ('CREATE DOMAIN') EXECUTE FUNCTION s.h()",
        "DROP EVENT TRIGGER ev",
        "event trigger ev: should not be there",
    ),
    ("CREATE SCHEMA another", "DROP SCHEMA another", "schema another: should not be there"),
    (
        f'{FINE_PRINT} RENAME "x y" TO "X y"',
        f'{FINE_PRINT} RENAME "X y" TO "x y"',
        'column s."Odd ""T"" é"."x y": is miss',
    ),
]
