-- What the statements of shapes.sql are run on. Every table holds rows, so that a scan and a rewrite can be seen.
CREATE SCHEMA m;
SET search_path = m;

CREATE EXTENSION citext SCHEMA m;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (x int, y int);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN bare AS int;
CREATE SEQUENCE loose_seq;
-- In plpgsql, because the planner puts what a simple SQL function says in its place.
CREATE FUNCTION drifting() RETURNS int VOLATILE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
CREATE FUNCTION steady() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION noticed() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';

CREATE TABLE parent (id int PRIMARY KEY, code text NOT NULL UNIQUE, n int NOT NULL);
CREATE TABLE t (
    id int PRIMARY KEY,
    a int NOT NULL,
    b text,
    v varchar(10),
    amount numeric(10, 2),
    ts timestamp,
    t3 timestamp(3),
    c char(5),
    ci citext,
    j json,
    u uuid,
    day date,
    net cidr,
    bits bit(4),
    tags int[],
    words varchar(5)[],
    feeling mood,
    plain bare,
    span int4range,
    half real,
    tiny smallint,
    twice int GENERATED ALWAYS AS (a * 2) STORED,
    parent_id int CONSTRAINT t_parent_fk REFERENCES parent,
    late_id int,
    CONSTRAINT t_a_check CHECK (a > 0),
    CONSTRAINT t_b_filled CHECK (b IS NOT NULL),
    CONSTRAINT t_a_unique UNIQUE (a)
);
CREATE INDEX t_b ON t (b);
CREATE INDEX t_v ON t (v);
CREATE INDEX t_amount ON t (amount);
CREATE INDEX t_ts ON t (ts);
CREATE INDEX t_ci ON t (ci);
CREATE INDEX t_bits ON t (bits);
CREATE INDEX t_lower ON t (lower(b));
CREATE INDEX t_some ON t (parent_id) WHERE a > 10;
CREATE UNIQUE INDEX t_tiny ON t (tiny);
CREATE STATISTICS t_stat ON a, tiny FROM t;
INSERT INTO parent SELECT n, 'c' || n, n FROM generate_series(1, 100) AS n;
INSERT INTO t (id, a, b, v, amount, ts, t3, c, ci, day, bits, tags, words, feeling, plain, span, half, tiny, parent_id,
               late_id)
SELECT n, n, 'b' || n, 'v' || n, n, '2020-01-01', '2020-01-01', 'c', 'x' || n, '2020-01-01', B'0101', ARRAY[n],
       ARRAY['w'], 'ok', n, int4range(n, n + 1), n, n, n, n
FROM generate_series(1, 100) AS n;
ALTER TABLE t ADD CONSTRAINT t_late_check CHECK (a < 1000) NOT VALID;
ALTER TABLE t ADD CONSTRAINT t_late_fk FOREIGN KEY (late_id) REFERENCES parent NOT VALID;

CREATE TABLE child (id int PRIMARY KEY, t_id int CONSTRAINT child_fk REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE);
CREATE INDEX child_t ON child (t_id);
CREATE TABLE grandchild (id int PRIMARY KEY, child_id int CONSTRAINT grandchild_fk REFERENCES child ON DELETE CASCADE);
CREATE TABLE nephew (id int PRIMARY KEY, t_id int CONSTRAINT nephew_fk REFERENCES t ON DELETE SET NULL);
INSERT INTO child SELECT n, n FROM generate_series(1, 100) AS n;
INSERT INTO grandchild SELECT n, n FROM generate_series(1, 100) AS n;
INSERT INTO nephew SELECT n, n FROM generate_series(1, 100) AS n;

CREATE VIEW seen AS SELECT id, a FROM t;
CREATE VIEW far_seen AS SELECT id FROM seen;
CREATE MATERIALIZED VIEW kept AS SELECT id, a FROM t;
CREATE UNIQUE INDEX kept_id ON kept (id);
CREATE MATERIALIZED VIEW kept_far AS SELECT id FROM seen;
CREATE TRIGGER t_noticed BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION noticed();
CREATE POLICY t_policy ON t USING (true);

-- Nothing refers to these, so what is done to them is done to them alone.
CREATE TABLE heap (id int, a int, b text, v varchar(10), span int4range);
INSERT INTO heap SELECT n, n, 'b', 'v', int4range(n, n + 1) FROM generate_series(1, 100) AS n;
CREATE UNIQUE INDEX heap_id ON heap (id);
CREATE INDEX heap_b ON heap (b);
CREATE TABLE filled (id int NOT NULL, a int);
INSERT INTO filled SELECT n, n FROM generate_series(1, 100) AS n;
CREATE UNIQUE INDEX filled_id ON filled (id);
CREATE UNLOGGED TABLE quick (id int PRIMARY KEY);
INSERT INTO quick SELECT n FROM generate_series(1, 100) AS n;
CREATE TABLE counted (id serial PRIMARY KEY, a int GENERATED ALWAYS AS IDENTITY, b bigserial);
INSERT INTO counted DEFAULT VALUES;
CREATE TABLE base (id int, a int);
CREATE TABLE derived (extra int) INHERITS (base);
INSERT INTO base SELECT n, n FROM generate_series(1, 100) AS n;
INSERT INTO derived SELECT n, n, n FROM generate_series(1, 100) AS n;
CREATE TABLE row_typed (id int, held pair, valued positive);
INSERT INTO row_typed SELECT n, ROW(n, n)::pair, n FROM generate_series(1, 100) AS n;

CREATE TABLE part (id int NOT NULL, at int NOT NULL, parent_id int CONSTRAINT part_fk REFERENCES parent, note text,
                   PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE INDEX part_note ON part (note);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (100) TO (200);
CREATE TABLE part_rest PARTITION OF part DEFAULT;
INSERT INTO part SELECT n, n, 1, 'x' FROM generate_series(0, 250) AS n;
CREATE TABLE coming (id int NOT NULL, at int NOT NULL, parent_id int, note text);
INSERT INTO coming SELECT n, n FROM generate_series(300, 350) AS n;
CREATE TABLE ready (LIKE coming);
ALTER TABLE ready ADD CONSTRAINT ready_check CHECK (at >= 400 AND at < 500);
INSERT INTO ready SELECT n, n FROM generate_series(400, 450) AS n;
CREATE TABLE whole (id int NOT NULL, at int NOT NULL) PARTITION BY RANGE (at);
CREATE INDEX whole_id ON whole (id);
CREATE TABLE whole_1 PARTITION OF whole FOR VALUES FROM (0) TO (100);
CREATE TABLE whole_2 PARTITION OF whole FOR VALUES FROM (100) TO (200);
INSERT INTO whole SELECT n, n FROM generate_series(0, 150) AS n;
CREATE TABLE whole_next (id int NOT NULL, at int NOT NULL);
INSERT INTO whole_next VALUES (1, 201);
-- A partitioned table whose DEFAULT partition has a constraint that rules the new rows out.
CREATE TABLE ruled (id int NOT NULL, at int NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE ruled_rest PARTITION OF ruled DEFAULT;
ALTER TABLE ruled_rest ADD CONSTRAINT ruled_check CHECK (at < 100 OR at >= 200);
INSERT INTO ruled SELECT n, n FROM generate_series(0, 50) AS n;
CREATE TABLE ruled_next (id int NOT NULL, at int NOT NULL CHECK (at >= 100 AND at < 200));
INSERT INTO ruled_next SELECT n, n FROM generate_series(100, 150) AS n;
-- A partitioned table that others refer to.
CREATE TABLE topic (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE topic_1 PARTITION OF topic FOR VALUES FROM (0) TO (100);
INSERT INTO topic SELECT n FROM generate_series(0, 50) AS n;
CREATE TABLE remark (id int, topic_id int CONSTRAINT remark_fk REFERENCES topic);
INSERT INTO remark SELECT n, n FROM generate_series(0, 50) AS n;

CREATE TABLE "Odd ""name""" ("Key" int PRIMARY KEY, "käse" text);
INSERT INTO "Odd ""name""" SELECT n, 'x' FROM generate_series(1, 10) AS n;

CREATE TABLE topic_2 PARTITION OF topic FOR VALUES FROM (100) TO (200);
INSERT INTO topic VALUES (100);
CREATE TABLE topic_next (id int PRIMARY KEY);
INSERT INTO topic_next VALUES (1000);
CREATE TRIGGER part_noticed AFTER UPDATE ON part FOR EACH ROW EXECUTE FUNCTION noticed();
CREATE TABLE fitting (id int NOT NULL, at int NOT NULL CHECK (at >= 200 AND at < 300));
CREATE INDEX fitting_id ON fitting (id);
INSERT INTO fitting VALUES (1, 201);
CREATE TABLE empty (id int);
-- Keys that nobody, somebody else, and somebody who follows refers to.
CREATE TABLE lone (id int PRIMARY KEY, name text NOT NULL UNIQUE, code varchar(10));
INSERT INTO lone SELECT n, 'n' || n FROM generate_series(1, 12) AS n;
CREATE TABLE lone_kin (lone_id int CONSTRAINT lone_kin_fk REFERENCES lone ON UPDATE CASCADE ON DELETE SET DEFAULT);
INSERT INTO lone_kin SELECT n FROM generate_series(1, 11) AS n;
CREATE TABLE lone_other (lone_id int CONSTRAINT lone_other_fk REFERENCES lone);
CREATE TABLE lone_name (name text CONSTRAINT lone_name_fk REFERENCES lone (name));
INSERT INTO lone_name SELECT 'n' || n FROM generate_series(1, 10) AS n;
CREATE TABLE measures (held interval(3), far interval day to second(3), bits varbit(4), at time(3), stamp timestamptz(3),
                       free numeric, price money);
INSERT INTO measures VALUES ('1 s', '1 day', B'01', '12:00', '2020-01-01', 1, 1);
CREATE DOMAIN later AS int;
CREATE TABLE later_used (x later);
INSERT INTO later_used VALUES (1);
ALTER DOMAIN later ADD CONSTRAINT later_check CHECK (VALUE > 0) NOT VALID;
