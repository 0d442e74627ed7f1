-- Statements whose effects are observed: `-- name:`, and if need be `-- since:` the first server that has the
-- statement, and `-- after:` what puts the schema right again after one that cannot run in a transaction.

-- name: create_index
CREATE INDEX fresh ON m.t (day);
-- name: create_unique_index
CREATE UNIQUE INDEX fresh ON m.t (id, a);
-- name: create_partial_index
CREATE INDEX fresh ON m.t (lower(b)) WHERE a > 5;
-- name: create_index_on_partitioned
CREATE INDEX fresh ON m.part (parent_id);
-- name: create_index_on_only
CREATE INDEX fresh ON ONLY m.part (parent_id);
-- name: create_index_on_matview
CREATE INDEX fresh ON m.kept (a);
-- name: create_index_if_not_exists
CREATE INDEX IF NOT EXISTS t_b ON m.t (b);
-- name: drop_index
DROP INDEX m.t_b;
-- name: drop_partitioned_index
DROP INDEX m.part_note;
-- name: rename_index
ALTER INDEX m.t_b RENAME TO t_c;
-- name: set_index_storage
ALTER INDEX m.t_b SET (fillfactor = 70);
-- name: reindex_index
REINDEX INDEX m.t_b;
-- name: reindex_table
REINDEX TABLE m.t;

-- name: add_column
ALTER TABLE m.t ADD COLUMN x int;
-- name: add_column_constant_default
ALTER TABLE m.t ADD COLUMN x int NOT NULL DEFAULT 5;
-- name: add_column_stable_default
ALTER TABLE m.t ADD COLUMN x timestamptz NOT NULL DEFAULT now();
-- name: add_column_own_stable_default
ALTER TABLE m.t ADD COLUMN x int DEFAULT m.steady();
-- name: add_column_volatile_default
ALTER TABLE m.t ADD COLUMN x uuid DEFAULT gen_random_uuid();
-- name: add_column_clock_default
ALTER TABLE m.t ADD COLUMN x timestamptz DEFAULT clock_timestamp();
-- name: add_column_own_volatile_default
ALTER TABLE m.t ADD COLUMN x int DEFAULT m.drifting();
-- name: add_column_nextval
ALTER TABLE m.t ADD COLUMN x int DEFAULT nextval('m.loose_seq');
-- name: add_column_serial
ALTER TABLE m.t ADD COLUMN x bigserial;
-- name: add_column_identity
ALTER TABLE m.t ADD COLUMN x bigint GENERATED ALWAYS AS IDENTITY;
-- name: add_column_stored
ALTER TABLE m.t ADD COLUMN x int GENERATED ALWAYS AS (a + 1) STORED;
-- name: add_column_virtual
-- since: 18
ALTER TABLE m.t ADD COLUMN x int GENERATED ALWAYS AS (a + 1) VIRTUAL;
-- name: add_column_constrained_domain
ALTER TABLE m.t ADD COLUMN x m.positive;
-- name: add_column_constrained_domain_default
ALTER TABLE m.t ADD COLUMN x m.positive DEFAULT 1;
-- name: add_column_bare_domain
ALTER TABLE m.t ADD COLUMN x m.bare DEFAULT 1;
-- name: add_column_check
ALTER TABLE m.t ADD COLUMN x int CHECK (x > 0);
-- name: add_column_default_check
ALTER TABLE m.t ADD COLUMN x int DEFAULT 1 CHECK (x > 0);
-- name: add_column_references
ALTER TABLE m.t ADD COLUMN x int REFERENCES m.parent;
-- name: add_column_default_references
ALTER TABLE m.t ADD COLUMN x int DEFAULT 1 REFERENCES m.parent;
-- name: add_column_unique
ALTER TABLE m.t ADD COLUMN x int UNIQUE;
-- name: add_column_not_null_no_default
ALTER TABLE m.coming ADD COLUMN IF NOT EXISTS note text NOT NULL;
-- name: add_column_to_partitioned
ALTER TABLE m.part ADD COLUMN x int;
-- name: add_column_volatile_to_partitioned
ALTER TABLE m.part ADD COLUMN x uuid DEFAULT gen_random_uuid();
-- name: add_column_to_inherited
ALTER TABLE m.base ADD COLUMN x int;
-- name: add_columns
ALTER TABLE m.t ADD COLUMN x int, ADD COLUMN y text DEFAULT 'x';
-- name: drop_column
ALTER TABLE m.t DROP COLUMN day;
-- name: drop_indexed_column
ALTER TABLE m.t DROP COLUMN v;
-- name: drop_referring_column
ALTER TABLE m.t DROP COLUMN late_id;
-- name: drop_column_cascade
ALTER TABLE m.t DROP COLUMN a CASCADE;
-- name: drop_column_of_partitioned
ALTER TABLE m.part DROP COLUMN note;
-- name: rename_column
ALTER TABLE m.t RENAME COLUMN b TO bb;
-- name: rename_column_of_partitioned
ALTER TABLE m.part RENAME COLUMN note TO notes;
-- name: set_default
ALTER TABLE m.t ALTER COLUMN b SET DEFAULT 'x';
-- name: drop_default
ALTER TABLE m.counted ALTER COLUMN b DROP DEFAULT;
-- name: drop_identity
ALTER TABLE m.counted ALTER COLUMN a DROP IDENTITY;
-- name: add_identity
ALTER TABLE m.filled ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY;
-- name: drop_expression
ALTER TABLE m.t ALTER COLUMN twice DROP EXPRESSION;
-- name: set_expression
-- since: 17
ALTER TABLE m.t ALTER COLUMN twice SET EXPRESSION AS (a * 3);
-- name: set_not_null
ALTER TABLE m.t ALTER COLUMN tiny SET NOT NULL;
-- name: set_not_null_implied
ALTER TABLE m.t ALTER COLUMN b SET NOT NULL;
-- name: set_not_null_again
ALTER TABLE m.t ALTER COLUMN a SET NOT NULL;
-- name: set_not_null_on_partitioned
ALTER TABLE m.part ALTER COLUMN note SET NOT NULL;
-- name: drop_not_null
ALTER TABLE m.t ALTER COLUMN a DROP NOT NULL;
-- name: set_statistics
ALTER TABLE m.t ALTER COLUMN a SET STATISTICS 500;
-- name: set_storage
ALTER TABLE m.t ALTER COLUMN b SET STORAGE EXTERNAL;
-- name: set_compression
ALTER TABLE m.t ALTER COLUMN b SET COMPRESSION pglz;
-- name: set_column_options
ALTER TABLE m.t ALTER COLUMN a SET (n_distinct = 5);

-- name: set_default_on_partitioned
ALTER TABLE m.part ALTER COLUMN note SET DEFAULT 'x';
-- name: drop_not_null_on_partitioned
ALTER TABLE m.whole ALTER COLUMN id DROP NOT NULL;
-- name: set_statistics_on_partitioned
ALTER TABLE m.part ALTER COLUMN note SET STATISTICS 5;
-- name: set_identity
ALTER TABLE m.counted ALTER COLUMN a SET GENERATED BY DEFAULT SET START 5;
-- name: drop_serial_column
ALTER TABLE m.counted DROP COLUMN b;
-- name: drop_column_of_inherited
ALTER TABLE m.base DROP COLUMN a;
-- name: add_column_not_null_to_empty
ALTER TABLE m.empty ADD COLUMN x int NOT NULL;
-- name: add_key_column_to_empty
ALTER TABLE m.empty ADD COLUMN x int PRIMARY KEY;
-- name: add_column_only
ALTER TABLE m.heap ADD COLUMN x int, ALTER COLUMN a SET STATISTICS 5;

-- name: type_varchar_wider
ALTER TABLE m.t ALTER COLUMN v TYPE varchar(20);
-- name: type_varchar_to_text
ALTER TABLE m.t ALTER COLUMN v TYPE text;
-- name: type_varchar_narrower
ALTER TABLE m.t ALTER COLUMN v TYPE varchar(5);
-- name: type_text_to_varchar
ALTER TABLE m.t ALTER COLUMN b TYPE varchar;
-- name: type_text_to_short_varchar
ALTER TABLE m.heap ALTER COLUMN b TYPE varchar(20);
-- name: type_numeric_wider
ALTER TABLE m.t ALTER COLUMN amount TYPE numeric(12, 2);
-- name: type_numeric_free
ALTER TABLE m.t ALTER COLUMN amount TYPE numeric;
-- name: type_numeric_scale
ALTER TABLE m.t ALTER COLUMN amount TYPE numeric(12, 3);
-- name: type_timestamp_precision
ALTER TABLE m.t ALTER COLUMN t3 TYPE timestamp(6);
-- name: type_timestamp_cut
ALTER TABLE m.t ALTER COLUMN t3 TYPE timestamp(0);
-- name: type_timestamptz
ALTER TABLE m.t ALTER COLUMN ts TYPE timestamptz;
-- name: type_timestamptz_using
ALTER TABLE m.t ALTER COLUMN ts TYPE timestamptz USING ts AT TIME ZONE 'UTC';
-- name: type_citext_to_text
ALTER TABLE m.t ALTER COLUMN ci TYPE text;
-- name: type_text_to_citext
ALTER TABLE m.heap ALTER COLUMN b TYPE m.citext;
-- name: type_bit_to_varbit
ALTER TABLE m.t ALTER COLUMN bits TYPE varbit;
-- name: type_int_to_oid
ALTER TABLE m.heap ALTER COLUMN id TYPE oid;
-- name: type_int_to_bigint
ALTER TABLE m.heap ALTER COLUMN id TYPE bigint;
-- name: type_key_to_bigint
ALTER TABLE m.nephew ALTER COLUMN t_id TYPE bigint;
-- name: type_referenced_to_bigint
ALTER TABLE m.child ALTER COLUMN id TYPE bigint;
-- name: type_smallint_to_int
ALTER TABLE m.t ALTER COLUMN tiny TYPE int;
-- name: type_real_to_double
ALTER TABLE m.t ALTER COLUMN half TYPE double precision;
-- name: type_json_to_jsonb
ALTER TABLE m.t ALTER COLUMN j TYPE jsonb;
-- name: type_char_to_text
ALTER TABLE m.t ALTER COLUMN c TYPE text;
-- name: type_date_to_timestamp
ALTER TABLE m.t ALTER COLUMN day TYPE timestamp;
-- name: type_cidr_to_inet
ALTER TABLE m.t ALTER COLUMN net TYPE inet;
-- name: type_int_to_text
ALTER TABLE m.heap ALTER COLUMN a TYPE text;
-- name: type_uuid_to_text
ALTER TABLE m.t ALTER COLUMN u TYPE text;
-- name: type_int_array
ALTER TABLE m.t ALTER COLUMN tags TYPE bigint[];
-- name: type_varchar_array
ALTER TABLE m.t ALTER COLUMN words TYPE varchar(9)[];
-- name: type_enum_to_text
ALTER TABLE m.t ALTER COLUMN feeling TYPE text;
-- name: type_domain_to_base
ALTER TABLE m.t ALTER COLUMN plain TYPE int;
-- name: type_base_to_bare_domain
ALTER TABLE m.heap ALTER COLUMN a TYPE m.bare;
-- name: type_base_to_constrained_domain
ALTER TABLE m.heap ALTER COLUMN a TYPE m.positive;
-- name: type_same
ALTER TABLE m.t ALTER COLUMN b TYPE text;
-- name: type_using
ALTER TABLE m.heap ALTER COLUMN b TYPE text USING upper(b);
-- name: type_collation
ALTER TABLE m.t ALTER COLUMN b TYPE text COLLATE "C";
-- name: type_on_partitioned
ALTER TABLE m.part ALTER COLUMN note TYPE varchar;
-- name: type_rewrites_partitions
ALTER TABLE m.part ALTER COLUMN parent_id TYPE bigint;

-- name: type_key_metadata_only
ALTER TABLE m.lone_name ALTER COLUMN name TYPE varchar;
-- name: type_referenced_metadata_only
ALTER TABLE m.lone ALTER COLUMN name TYPE varchar;
-- name: type_array_free
ALTER TABLE m.t ALTER COLUMN words TYPE varchar[];
-- name: type_array_to_text
ALTER TABLE m.t ALTER COLUMN words TYPE text[];
-- name: type_interval_wider
ALTER TABLE m.measures ALTER COLUMN held TYPE interval(6);
-- name: type_interval_narrower
ALTER TABLE m.measures ALTER COLUMN held TYPE interval(1);
-- name: type_interval_more_fields
ALTER TABLE m.measures ALTER COLUMN far TYPE interval;
-- name: type_varbit_wider
ALTER TABLE m.measures ALTER COLUMN bits TYPE varbit(8);
-- name: type_time_wider
ALTER TABLE m.measures ALTER COLUMN at TYPE time;
-- name: type_timestamptz_wider
ALTER TABLE m.measures ALTER COLUMN stamp TYPE timestamptz(5);
-- name: type_timestamptz_to_timestamp
ALTER TABLE m.measures ALTER COLUMN stamp TYPE timestamp;
-- name: type_timestamptz_to_timestamp_cut
ALTER TABLE m.measures ALTER COLUMN stamp TYPE timestamp(2);
-- name: type_numeric_bound
ALTER TABLE m.measures ALTER COLUMN free TYPE numeric(20, 2);
-- name: type_money_to_numeric
ALTER TABLE m.measures ALTER COLUMN price TYPE numeric;
-- name: type_using_itself
ALTER TABLE m.t ALTER COLUMN v TYPE text USING v::text;
-- name: type_two_columns
ALTER TABLE m.t ALTER COLUMN v TYPE text, ALTER COLUMN tiny TYPE bigint;

-- name: add_check
ALTER TABLE m.t ADD CONSTRAINT fresh CHECK (a > 0);
-- name: add_check_not_valid
ALTER TABLE m.t ADD CONSTRAINT fresh CHECK (a > 0) NOT VALID;
-- name: add_check_to_partitioned
ALTER TABLE m.part ADD CONSTRAINT fresh CHECK (at >= 0);
-- name: validate_check
ALTER TABLE m.t VALIDATE CONSTRAINT t_late_check;
-- name: validate_check_that_is_valid
ALTER TABLE m.t VALIDATE CONSTRAINT t_a_check;
-- name: add_unique
ALTER TABLE m.t ADD CONSTRAINT fresh UNIQUE (tiny);
-- name: add_unique_using_index
ALTER TABLE m.heap ADD CONSTRAINT fresh UNIQUE USING INDEX heap_id;
-- name: add_primary_key
ALTER TABLE m.heap ADD PRIMARY KEY (id);
-- name: add_primary_key_on_filled
ALTER TABLE m.filled ADD PRIMARY KEY (id);
-- name: add_primary_key_using_index_nullable
ALTER TABLE m.heap ADD PRIMARY KEY USING INDEX heap_id;
-- name: add_primary_key_using_index
ALTER TABLE m.filled ADD PRIMARY KEY USING INDEX filled_id;
-- name: add_exclude
ALTER TABLE m.heap ADD CONSTRAINT fresh EXCLUDE USING gist (span WITH &&);
-- name: add_foreign_key
ALTER TABLE m.heap ADD CONSTRAINT fresh FOREIGN KEY (a) REFERENCES m.parent (id);
-- name: add_foreign_key_not_valid
ALTER TABLE m.heap ADD CONSTRAINT fresh FOREIGN KEY (a) REFERENCES m.parent (id) NOT VALID;
-- name: add_foreign_key_to_itself
ALTER TABLE m.t ADD CONSTRAINT fresh FOREIGN KEY (a) REFERENCES m.t (id);
-- name: add_foreign_key_on_partitioned
-- since: 18
ALTER TABLE m.whole ADD CONSTRAINT fresh FOREIGN KEY (id) REFERENCES m.t (id) NOT VALID;
-- name: add_foreign_key_to_partitioned
ALTER TABLE m.heap ADD CONSTRAINT fresh FOREIGN KEY (id, a) REFERENCES m.part (id, at) NOT VALID;
-- name: add_validated_foreign_key_to_partitioned
ALTER TABLE m.filled ADD CONSTRAINT fresh FOREIGN KEY (id, a) REFERENCES m.part (id, at);
-- name: validate_foreign_key
ALTER TABLE m.t VALIDATE CONSTRAINT t_late_fk;
-- name: add_not_null_constraint
-- since: 18
ALTER TABLE m.t ADD CONSTRAINT fresh NOT NULL tiny;
-- name: add_not_null_constraint_not_valid
-- since: 18
ALTER TABLE m.t ADD CONSTRAINT fresh NOT NULL tiny NOT VALID;
-- name: add_unique_on_partitioned
ALTER TABLE m.part ADD UNIQUE (at, id);
-- name: add_foreign_key_from_partitioned_validated
ALTER TABLE m.ruled ADD CONSTRAINT fresh FOREIGN KEY (at) REFERENCES m.topic;
-- name: add_several_constraints
ALTER TABLE m.heap ADD CHECK (a > 0), ADD FOREIGN KEY (a) REFERENCES m.parent;
-- name: rename_unique_constraint
ALTER TABLE m.t RENAME CONSTRAINT t_a_unique TO t_a_one;
-- name: drop_check
ALTER TABLE m.t DROP CONSTRAINT t_a_check;
-- name: drop_foreign_key
ALTER TABLE m.child DROP CONSTRAINT child_fk;
-- name: drop_unique
ALTER TABLE m.t DROP CONSTRAINT t_a_unique;
-- name: drop_primary_key_cascade
ALTER TABLE m.t DROP CONSTRAINT t_pkey CASCADE;
-- name: drop_partitioned_foreign_key
ALTER TABLE m.part DROP CONSTRAINT part_fk;
-- name: alter_constraint
ALTER TABLE m.child ALTER CONSTRAINT child_fk DEFERRABLE;
-- name: rename_constraint
ALTER TABLE m.t RENAME CONSTRAINT t_a_check TO t_a_positive;

-- name: alter_constraint_of_partitioned
ALTER TABLE m.part ALTER CONSTRAINT part_fk DEFERRABLE;
-- name: create_table
CREATE TABLE m.fresh (id int PRIMARY KEY, a text);
-- name: create_table_with_foreign_key
CREATE TABLE m.fresh (id int PRIMARY KEY, t_id int REFERENCES m.t, p_id int REFERENCES m.parent);
-- name: create_table_like
CREATE TABLE m.fresh (LIKE m.t INCLUDING ALL);
-- name: create_table_inherits
CREATE TABLE m.fresh () INHERITS (m.base);
-- name: create_table_as
CREATE TABLE m.fresh AS SELECT id, a FROM m.t;
-- name: select_into
SELECT id INTO m.fresh FROM m.seen;
-- name: create_partition
CREATE TABLE m.fresh PARTITION OF m.whole FOR VALUES FROM (200) TO (300);
-- name: create_partition_beside_default
CREATE TABLE m.fresh PARTITION OF m.part FOR VALUES FROM (300) TO (400);
-- name: create_partition_of_referenced
CREATE TABLE m.fresh PARTITION OF m.topic FOR VALUES FROM (200) TO (300);
-- name: create_default_partition
CREATE TABLE m.fresh PARTITION OF m.whole DEFAULT;
-- name: attach_partition
ALTER TABLE m.whole ATTACH PARTITION m.whole_next FOR VALUES FROM (200) TO (300);
-- name: attach_partition_beside_default
ALTER TABLE m.part ATTACH PARTITION m.coming FOR VALUES FROM (300) TO (400);
-- name: attach_partition_with_check
ALTER TABLE m.part ATTACH PARTITION m.ready FOR VALUES FROM (400) TO (500);
-- name: attach_partition_ruled
ALTER TABLE m.ruled ATTACH PARTITION m.ruled_next FOR VALUES FROM (100) TO (200);
-- name: attach_default_partition
ALTER TABLE m.whole ATTACH PARTITION m.whole_next DEFAULT;
-- name: attach_partition_with_index
ALTER TABLE m.whole ATTACH PARTITION m.fitting FOR VALUES FROM (200) TO (300);
-- name: attach_partition_of_referenced
ALTER TABLE m.topic ATTACH PARTITION m.topic_next FOR VALUES FROM (1000) TO (2000);
-- name: detach_partition
ALTER TABLE m.whole DETACH PARTITION m.whole_1;
-- name: detach_partition_beside_default
ALTER TABLE m.part DETACH PARTITION m.part_1;
-- name: detach_partition_of_referenced
ALTER TABLE m.topic DETACH PARTITION m.topic_2;
-- name: attach_index
ALTER INDEX m.part_note ATTACH PARTITION m.part_1_note_idx;
-- name: drop_partition
DROP TABLE m.part_2;
-- name: drop_partitioned_table
DROP TABLE m.whole;
-- name: truncate_partition
TRUNCATE m.part_1;

-- name: drop_table
DROP TABLE m.heap;
-- name: drop_child_table
DROP TABLE m.grandchild;
-- name: drop_table_cascade
DROP TABLE m.t CASCADE;
-- name: drop_parent_cascade
DROP TABLE m.parent CASCADE;
-- name: drop_view
DROP VIEW m.far_seen;
-- name: drop_view_cascade
DROP VIEW m.seen CASCADE;
-- name: drop_matview
DROP MATERIALIZED VIEW m.kept;
-- name: drop_sequence
DROP SEQUENCE m.loose_seq;
-- name: drop_trigger
DROP TRIGGER t_noticed ON m.t;
-- name: drop_policy
DROP POLICY t_policy ON m.t;
-- name: drop_function_cascade
DROP FUNCTION m.noticed() CASCADE;
-- name: drop_type_cascade
DROP TYPE m.mood CASCADE;
-- name: drop_domain_cascade
DROP DOMAIN m.positive CASCADE;
-- name: drop_extension_cascade
DROP EXTENSION citext CASCADE;
-- name: drop_statistics
DROP STATISTICS m.t_stat;
-- name: drop_schema_cascade
DROP SCHEMA m CASCADE;

-- name: rename_table
ALTER TABLE m.t RENAME TO tt;
-- name: rename_view
ALTER VIEW m.seen RENAME TO viewed;
-- name: rename_schema
ALTER SCHEMA m RENAME TO mm;
-- name: set_schema
ALTER TABLE m.t SET SCHEMA public;
-- name: set_schema_of_serial
ALTER TABLE m.counted SET SCHEMA public;
-- name: owner
ALTER TABLE m.t OWNER TO pg_monitor;
-- name: odd_name
ALTER TABLE m."Odd ""name""" ALTER COLUMN "Key" TYPE bigint;

-- name: owner_of_partitioned
ALTER TABLE m.part OWNER TO pg_monitor;
-- name: owner_of_counted
ALTER TABLE m.counted OWNER TO pg_monitor;
-- name: row_security_of_partitioned
ALTER TABLE m.part ENABLE ROW LEVEL SECURITY;
-- name: view_option
ALTER VIEW m.seen SET (security_barrier);
-- name: view_default
ALTER VIEW m.seen ALTER COLUMN a SET DEFAULT 1;
-- name: rename_sequence
ALTER SEQUENCE m.loose_seq RENAME TO tight_seq;
-- name: rename_matview
ALTER MATERIALIZED VIEW m.kept RENAME TO held;
-- name: rename_partitioned
ALTER TABLE m.part RENAME TO parts;

-- name: create_view
CREATE VIEW m.fresh AS SELECT id FROM m.t JOIN m.seen USING (id);
-- name: replace_view
CREATE OR REPLACE VIEW m.far_seen AS SELECT id FROM m.t;
-- name: create_matview
CREATE MATERIALIZED VIEW m.fresh AS SELECT id FROM m.seen;
-- name: create_matview_no_data
CREATE MATERIALIZED VIEW m.fresh AS SELECT id FROM m.t WITH NO DATA;
-- name: refresh
REFRESH MATERIALIZED VIEW m.kept;
-- name: refresh_through_view
REFRESH MATERIALIZED VIEW m.kept_far;
-- name: refresh_concurrently
REFRESH MATERIALIZED VIEW CONCURRENTLY m.kept;
-- name: refresh_no_data
REFRESH MATERIALIZED VIEW m.kept WITH NO DATA;
-- name: create_trigger
CREATE TRIGGER fresh AFTER INSERT ON m.t FOR EACH ROW EXECUTE FUNCTION m.noticed();
-- name: create_trigger_on_partitioned
CREATE TRIGGER fresh AFTER INSERT ON m.part FOR EACH ROW EXECUTE FUNCTION m.noticed();
-- name: disable_trigger_of_partitioned
ALTER TABLE m.part DISABLE TRIGGER part_noticed;
-- name: disable_triggers_of_partitioned
ALTER TABLE m.part DISABLE TRIGGER USER;
-- name: replace_trigger
CREATE OR REPLACE TRIGGER t_noticed BEFORE UPDATE ON m.t FOR EACH ROW EXECUTE FUNCTION m.noticed();
-- name: statement_trigger
CREATE TRIGGER fresh AFTER INSERT ON m.part FOR EACH STATEMENT EXECUTE FUNCTION m.noticed();
-- name: view_trigger
CREATE TRIGGER fresh INSTEAD OF INSERT ON m.seen FOR EACH ROW EXECUTE FUNCTION m.noticed();
-- name: rename_trigger_of_partitioned
ALTER TRIGGER part_noticed ON m.part RENAME TO part_seen;
-- name: drop_trigger_of_partitioned
DROP TRIGGER part_noticed ON m.part;
-- name: create_rule
CREATE RULE fresh AS ON DELETE TO m.heap DO INSTEAD NOTHING;
-- name: disable_trigger
ALTER TABLE m.t DISABLE TRIGGER t_noticed;
-- name: enable_triggers
ALTER TABLE m.t ENABLE TRIGGER ALL;
-- name: rename_trigger
ALTER TRIGGER t_noticed ON m.t RENAME TO t_seen;
-- name: enable_row_security
ALTER TABLE m.t ENABLE ROW LEVEL SECURITY;
-- name: force_row_security
ALTER TABLE m.t FORCE ROW LEVEL SECURITY;
-- name: create_policy
CREATE POLICY fresh ON m.t USING (a > 0);
-- name: alter_policy
ALTER POLICY t_policy ON m.t USING (a > 0);
-- name: create_function
CREATE FUNCTION m.fresh() RETURNS int LANGUAGE sql AS 'SELECT 1';
-- name: create_function_atomic
CREATE FUNCTION m.fresh() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM m.t; END;

-- name: create_enum
CREATE TYPE m.fresh AS ENUM ('a');
-- name: add_enum_value
ALTER TYPE m.mood ADD VALUE 'glad';
-- name: rename_enum_value
ALTER TYPE m.mood RENAME VALUE 'sad' TO 'gloomy';
-- name: rename_type
ALTER TYPE m.mood RENAME TO humour;
-- name: add_attribute
ALTER TYPE m.pair ADD ATTRIBUTE z int;
-- name: create_domain
CREATE DOMAIN m.fresh AS int CHECK (VALUE > 0);
-- name: add_domain_check
ALTER DOMAIN m.positive ADD CONSTRAINT fresh CHECK (VALUE < 1000);
-- name: add_domain_check_not_valid
ALTER DOMAIN m.positive ADD CONSTRAINT fresh CHECK (VALUE < 1000) NOT VALID;
-- name: set_domain_not_null
ALTER DOMAIN m.positive SET NOT NULL;
-- name: drop_domain_check
ALTER DOMAIN m.positive DROP CONSTRAINT positive_check;
-- name: set_domain_default
ALTER DOMAIN m.positive SET DEFAULT 1;

-- name: validate_domain_check
ALTER DOMAIN m.later VALIDATE CONSTRAINT later_check;

-- name: select
SELECT * FROM m.t;
-- name: select_view
SELECT * FROM m.far_seen;
-- name: select_partitioned
SELECT * FROM m.part;
-- name: select_for_update
SELECT * FROM m.t FOR UPDATE;
-- name: select_for_share_of
SELECT * FROM m.t JOIN m.parent p ON p.id = t.parent_id FOR SHARE OF p;
-- name: insert
INSERT INTO m.heap VALUES (1000, 1, 'b');
-- name: insert_select
INSERT INTO m.heap SELECT id + 1000, a, b FROM m.t;
-- name: insert_with_foreign_key
INSERT INTO m.child VALUES (1000, 1);
-- name: insert_null_key
INSERT INTO m.child VALUES (1000, NULL);
-- name: insert_on_conflict
INSERT INTO m.parent VALUES (1, 'c1', 1) ON CONFLICT (id) DO UPDATE SET n = 2;
-- name: insert_into_partitioned
INSERT INTO m.part SELECT id + 1000, at, parent_id, note FROM m.part;
-- name: insert_written_before
WITH gone AS (DELETE FROM m.filled RETURNING id) INSERT INTO m.heap (id) SELECT id + 1000 FROM gone;
-- name: insert_some_columns
INSERT INTO m.t (id, a, b) VALUES (1000, 500, 'x');
-- name: update_plain
UPDATE m.heap SET a = 2;
-- name: update_from
UPDATE m.heap SET a = p.n FROM m.parent p WHERE p.id = heap.id;
-- name: update_referring
UPDATE m.nephew SET t_id = 2;
-- name: update_other_column
UPDATE m.parent SET n = 1;
-- name: update_referenced_key
UPDATE m.lone SET id = id + 1000;
-- name: update_through_view
UPDATE m.seen SET a = a + 200;
-- name: delete_plain
DELETE FROM m.heap;
-- name: delete_cascade
DELETE FROM m.t;
-- name: delete_cascade_child
DELETE FROM m.child;
-- name: delete_using
DELETE FROM m.heap USING m.parent p WHERE p.id = heap.a;
-- name: delete_partitioned
DELETE FROM m.part;
-- name: delete_set_default
DELETE FROM m.lone WHERE id > 10;
-- name: delete_through_cte
WITH picked AS (SELECT id FROM m.parent WHERE id > 5) DELETE FROM m.heap USING picked WHERE picked.id = heap.id;
-- name: merge
MERGE INTO m.heap h USING m.parent p ON p.id = h.id WHEN MATCHED THEN UPDATE SET a = 1 WHEN NOT MATCHED THEN INSERT (id) VALUES (p.id);
-- name: copy_to
COPY m.t TO '/dev/null';
-- name: copy_query
COPY (SELECT * FROM m.parent) TO '/dev/null';
-- name: copy_from
COPY m.heap FROM '/dev/null';
-- name: lock_table
LOCK TABLE m.t IN SHARE MODE;
-- name: lock_view
LOCK TABLE m.seen IN EXCLUSIVE MODE;
-- name: lock_partitioned
LOCK TABLE m.part;

-- name: truncate
TRUNCATE m.heap;
-- name: truncate_several
TRUNCATE m.heap, m.filled;
-- name: truncate_cascade
TRUNCATE m.t CASCADE;
-- name: truncate_restart
TRUNCATE m.counted RESTART IDENTITY;
-- name: truncate_partitioned
TRUNCATE m.part;

-- name: analyze
ANALYZE m.t;
-- name: analyze_partitioned
ANALYZE m.part;
-- name: analyze_inherited
ANALYZE m.base;
-- name: analyze_matview
ANALYZE m.kept;
-- name: cluster
CLUSTER m.heap USING heap_id;
-- name: grant
GRANT SELECT ON m.t TO PUBLIC;
-- name: revoke
REVOKE ALL ON m.t FROM PUBLIC;
-- name: comment
COMMENT ON TABLE m.t IS 'x';
-- name: comment_on_column
COMMENT ON COLUMN m.t.a IS 'x';
-- name: comment_on_index
COMMENT ON INDEX m.t_b IS 'x';
-- name: comment_on_constraint
COMMENT ON CONSTRAINT t_a_check ON m.t IS 'x';
-- name: comment_on_view
COMMENT ON VIEW m.seen IS 'x';
-- name: comment_on_sequence
COMMENT ON SEQUENCE m.loose_seq IS 'x';
-- name: comment_on_trigger
COMMENT ON TRIGGER t_noticed ON m.t IS 'x';
-- name: comment_on_function
COMMENT ON FUNCTION m.steady() IS 'x';
-- name: grant_column
GRANT UPDATE (a) ON m.t TO PUBLIC;
-- name: grant_schema
GRANT USAGE ON SCHEMA m TO PUBLIC;
-- name: set_unlogged_with_sequences
ALTER TABLE m.lone_kin SET UNLOGGED;
-- name: set_logged
ALTER TABLE m.quick SET LOGGED;
-- name: set_unlogged
ALTER TABLE m.heap SET UNLOGGED;
-- name: set_access_method
ALTER TABLE m.heap SET ACCESS METHOD heap;
-- name: replica_identity
ALTER TABLE m.t REPLICA IDENTITY FULL;
-- name: replica_identity_index
ALTER TABLE m.filled REPLICA IDENTITY USING INDEX filled_id;
-- name: cluster_on
ALTER TABLE m.t CLUSTER ON t_b;
-- name: without_cluster
ALTER TABLE m.t SET WITHOUT CLUSTER;
-- name: set_fillfactor
ALTER TABLE m.t SET (fillfactor = 70);
-- name: set_autovacuum
ALTER TABLE m.t SET (autovacuum_enabled = false);
-- name: reset_storage
ALTER TABLE m.t RESET (fillfactor);
-- name: inherit
ALTER TABLE m.heap INHERIT m.base;
-- name: no_inherit
ALTER TABLE m.derived NO INHERIT m.base;
-- name: sequence_owned_by
ALTER SEQUENCE m.loose_seq OWNED BY m.t.a;
-- name: sequence_restart
ALTER SEQUENCE m.loose_seq RESTART;
-- name: create_sequence
CREATE SEQUENCE m.fresh;
-- name: create_owned_sequence
CREATE SEQUENCE m.fresh OWNED BY m.t.a;
-- name: create_statistics
CREATE STATISTICS m.fresh ON a, b FROM m.t;
-- name: create_expression_statistics
CREATE STATISTICS m.fresh ON lower(b), a FROM m.t;
-- name: set_statistics_target
ALTER STATISTICS m.t_stat SET STATISTICS 100;
-- name: create_publication
CREATE PUBLICATION fresh FOR TABLE m.t;
-- name: create_schema
CREATE SCHEMA fresh;
-- name: create_extension
CREATE EXTENSION btree_gist;

-- name: create_index_concurrently
-- after: DROP INDEX IF EXISTS m.fresh
CREATE INDEX CONCURRENTLY fresh ON m.t (day);
-- name: drop_index_concurrently
-- after: CREATE INDEX IF NOT EXISTS t_lower ON m.t (lower(b))
DROP INDEX CONCURRENTLY m.t_lower;
-- name: reindex_index_concurrently
REINDEX INDEX CONCURRENTLY m.t_b;
-- name: reindex_table_concurrently
REINDEX TABLE CONCURRENTLY m.parent;
-- name: detach_partition_concurrently
-- after: ALTER TABLE m.whole ATTACH PARTITION m.whole_2 FOR VALUES FROM (100) TO (200)
ALTER TABLE m.whole DETACH PARTITION m.whole_2 CONCURRENTLY;
-- name: vacuum
VACUUM m.t;
-- name: vacuum_analyze
VACUUM (ANALYZE) m.heap;
-- name: vacuum_full
VACUUM (FULL) m.heap;
-- name: vacuum_partitioned
VACUUM m.whole;
