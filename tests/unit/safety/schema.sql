CREATE TABLE p (id bigint PRIMARY KEY, name text NOT NULL);
INSERT INTO p SELECT n, 'p' || n FROM generate_series(1, 10) AS n;
CREATE TABLE t (
    id bigint PRIMARY KEY,
    a integer NOT NULL,
    b integer,
    c text,
    d timestamp,
    e numeric(10, 2),
    v varchar(10),
    r int4range,
    p_id bigint
);
INSERT INTO t
SELECT n, n, n + 1, 'c' || n, '2024-01-01'::timestamp + n * interval '1 hour', n, 'v' || n, int4range(n, n + 1), 1 + n % 10
FROM generate_series(1, 50) AS n;
CREATE INDEX i ON t (b);
CREATE UNIQUE INDEX u ON t (c);
CREATE TABLE keyless (id bigint NOT NULL, x integer);
INSERT INTO keyless SELECT n, n FROM generate_series(1, 20) AS n;
CREATE TABLE m (k date NOT NULL, v integer, p_id bigint) PARTITION BY RANGE (k);
CREATE TABLE m1 PARTITION OF m FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE m2 (LIKE m);
CREATE INDEX mi ON m (v);
CREATE UNIQUE INDEX mk ON m (k);
INSERT INTO m SELECT '2024-01-01'::date + n, n, 1 + n % 10 FROM generate_series(1, 50) AS n;
CREATE TYPE mood AS ENUM ('sad', 'fine');
CREATE TABLE feels (id bigint, how mood);
INSERT INTO feels VALUES (1, 'sad');
CREATE DOMAIN amount AS integer;
CREATE TABLE pays (id bigint, n amount);
INSERT INTO pays SELECT n, n FROM generate_series(1, 20) AS n;
CREATE VIEW seen AS SELECT id, a FROM t;
CREATE MATERIALIZED VIEW mv AS SELECT id, a FROM t;
CREATE UNIQUE INDEX mv_id ON mv (id);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE FUNCTION g(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1';
CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();
CREATE TABLE secured (id bigint);
INSERT INTO secured VALUES (1);
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY pol ON secured USING (id > 0);
CREATE SCHEMA empty;
CREATE SCHEMA other;
CREATE SEQUENCE numbers;
