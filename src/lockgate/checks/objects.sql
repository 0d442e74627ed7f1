-- What there is of each kind, by the parts of its name; `problem` is empty where nothing is wrong with it.

-- name: relations
SELECT ARRAY[n.nspname, c.relname]::text[] AS name,
       CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence'
                      WHEN 'c' THEN 'composite type' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' ELSE 'table' END AS kind,
       CASE WHEN c.relkind = 'm' AND NOT c.relispopulated THEN 'not populated' ELSE '' END AS problem
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')

-- name: columns
SELECT ARRAY[n.nspname, c.relname, a.attname]::text[] AS name, format_type(a.atttypid, a.atttypmod) AS type,
       NOT a.attnotnull AS nullable
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c')
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')

-- name: indexes
SELECT ARRAY[n.nspname, c.relname]::text[] AS name,
       CASE WHEN NOT i.indisvalid THEN 'INVALID: its build failed or is going on'
            WHEN NOT i.indisready THEN 'not ready: its build is going on' ELSE '' END AS problem
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')

-- name: constraints
SELECT ARRAY[n.nspname, c.relname, o.conname]::text[] AS name,
       CASE WHEN to_jsonb(o) ->> 'conenforced' = 'false' THEN 'not enforced'
            WHEN NOT o.convalidated THEN 'not validated' ELSE '' END AS problem
FROM pg_constraint o
JOIN pg_class c ON c.oid = o.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')

-- name: triggers
SELECT ARRAY[n.nspname, c.relname, t.tgname]::text[] AS name,
       CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'enabled for replicas only' ELSE '' END AS problem
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal OR t.tgparentid <> 0

-- name: types
SELECT ARRAY[n.nspname, t.typname]::text[] AS name, '' AS problem,
       (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) AS labels
FROM pg_type t
JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND t.typtype IN ('e', 'd', 'c', 'r', 'b')
  AND coalesce(c.relkind, 'c') = 'c' AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)

-- name: extensions
SELECT ARRAY[extname]::text[] AS name, '' AS problem FROM pg_extension

-- name: functions
SELECT ARRAY[n.nspname, p.proname]::text[] AS name, p.oid::bigint AS oid
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')

-- name: signature
SELECT oid::bigint AS oid FROM pg_proc WHERE oid = to_regprocedure(%(name)s)

-- name: foreign_keys
SELECT ARRAY[n.nspname, c.relname]::text[] AS name, o.conname AS called,
       ARRAY(SELECT a.attname::text FROM unnest(o.conkey) WITH ORDINALITY AS k (attnum, i)
             JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.attnum ORDER BY k.i) AS columns,
       ARRAY[fn.nspname, f.relname]::text[] AS target,
       o.confdeltype::text AS on_delete, o.confupdtype::text AS on_update,
       o.convalidated AS validated, coalesce(to_jsonb(o) ->> 'conenforced', 'true') = 'true' AS enforced,
       EXISTS (SELECT FROM pg_trigger t WHERE t.tgconstraint = o.oid AND t.tgenabled NOT IN ('O', 'A')) AS switched_off
FROM pg_constraint o
JOIN pg_class c ON c.oid = o.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class f ON f.oid = o.confrelid
JOIN pg_namespace fn ON fn.oid = f.relnamespace
WHERE o.contype = 'f'
ORDER BY 1, 2

-- name: family
WITH RECURSIVE tree AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = %(name)s
    UNION ALL
    SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid)
SELECT n.nspname AS schema, c.relname AS name
FROM tree JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace

-- name: partitioned
SELECT p.partstrat = 'r' AND p.partnatts = 1
       AND a.atttypid IN ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype) AS by_time
FROM pg_partitioned_table p
LEFT JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0] AND p.partattrs[0] <> 0
JOIN pg_class c ON c.oid = p.partrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = (%(name)s::text[])[1] AND c.relname = (%(name)s::text[])[2]

-- name: partitions
-- The ranges that there must be, and the partition of each; one that is being detached is none.
WITH wanted AS (
    SELECT date_trunc(%(every)s, now()) + i * ('1 ' || %(every)s)::interval AS lower,
           date_trunc(%(every)s, now()) + (i + 1) * ('1 ' || %(every)s)::interval AS upper
    FROM generate_series(-%(behind)s::int, %(ahead)s::int) i
), present AS (
    SELECT c.relname, b.bounds[1]::timestamptz AS lower, b.bounds[2]::timestamptz AS upper
    FROM pg_class p
    JOIN pg_namespace n ON n.oid = p.relnamespace
    JOIN pg_inherits i ON i.inhparent = p.oid AND NOT i.inhdetachpending
    JOIN pg_class c ON c.oid = i.inhrelid
    CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid),
                                    $$^FOR VALUES FROM \('([^']*)'\) TO \('([^']*)'\)$$) AS b (bounds)
    WHERE n.nspname = (%(name)s::text[])[1] AND p.relname = (%(name)s::text[])[2]
)
SELECT w.lower, w.upper, p.relname AS partition FROM wanted w LEFT JOIN present p USING (lower, upper) ORDER BY 1

-- name: counts
-- Without members of extensions, what is on the tables that are not counted, and Lockgate's triggers.
WITH kept AS (
    SELECT c.*, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (%(schemas)s)
      AND NOT EXISTS (SELECT FROM unnest(%(besides)s::text[], %(besides_names)s::text[]) AS b (schema, name)
                      WHERE (b.schema, b.name) = (n.nspname, c.relname))
      AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
)
SELECT nspname AS schema, kind, count(*) AS count FROM (
    SELECT nspname, CASE WHEN relkind IN ('v', 'm') THEN 'views' WHEN relkind = 'S' THEN 'sequences'
                         WHEN relispartition THEN 'partitions' ELSE 'tables' END AS kind
    FROM kept WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE kept.relkind = 'S' AND d.classid = 'pg_class'::regclass
                      AND d.objid = kept.oid AND d.deptype IN ('a', 'i') AND d.refclassid = 'pg_class'::regclass
                      AND d.refobjid NOT IN (SELECT oid FROM kept))
    UNION ALL SELECT nspname, 'indexes' FROM kept JOIN pg_index i ON i.indrelid = kept.oid
    UNION ALL SELECT nspname, 'foreign_keys' FROM kept JOIN pg_constraint o ON o.conrelid = kept.oid
              WHERE o.contype = 'f' AND o.conparentid = 0
    UNION ALL SELECT k.nspname, 'triggers' FROM kept k
              JOIN pg_trigger t ON t.tgrelid = k.oid AND NOT t.tgisinternal AND t.tgparentid = 0
              JOIN pg_proc p ON p.oid = t.tgfoid AND p.pronamespace <> coalesce(to_regnamespace('lockgate')::oid, 0)
    UNION ALL SELECT n.nspname, 'functions' FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
              WHERE n.nspname = ANY (%(schemas)s) AND NOT EXISTS (
                  SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i'))
    UNION ALL SELECT n.nspname, 'types' FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
              LEFT JOIN pg_class c ON c.oid = t.typrelid
              WHERE n.nspname = ANY (%(schemas)s) AND t.typtype IN ('e', 'd', 'c', 'r')
                AND coalesce(c.relkind, 'c') = 'c' AND NOT EXISTS (
                  SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
) AS found GROUP BY nspname, kind

-- name: unsound
SELECT 'index' AS kind, ARRAY[n.nspname, x.relname]::text[] AS name, 'INVALID: its build failed or is going on' AS problem
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_namespace n ON n.oid = x.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND NOT (i.indisvalid AND i.indisready)
UNION ALL
SELECT 'constraint', ARRAY[n.nspname, c.relname, o.conname]::text[],
       CASE WHEN to_jsonb(o) ->> 'conenforced' = 'false' THEN 'not enforced' ELSE 'not validated' END
FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND NOT o.convalidated
ORDER BY 1, 2

-- name: redundant
-- An index is redundant if another one of its table does all that it does. Left out: what primary and foreign keys,
-- exclusion constraints, the replica identity or CLUSTER rest on, and a UNIQUE that no other constraint repeats.
WITH seen AS (
    SELECT i.indexrelid, i.indrelid, x.relam, a.amname, i.indisunique AS is_unique, i.indimmediate AS is_immediate,
           n.nspname, x.relname, o.contype,
           ARRAY(SELECT concat_ws(' ', pg_get_indexdef(i.indexrelid, k, false), i.indclass[k - 1], i.indcollation[k - 1],
                                  i.indoption[k - 1])
                 FROM generate_series(1, i.indnkeyatts) k) AS keys,
           ARRAY(SELECT pg_get_indexdef(i.indexrelid, k, false) FROM generate_series(1, i.indnatts) k) AS holds,
           pg_get_expr(i.indpred, i.indrelid) AS predicate, to_jsonb(i) ->> 'indnullsnotdistinct' AS nulls,
           i.indisprimary OR i.indisreplident OR i.indisclustered OR coalesce(o.contype = 'x', false) OR EXISTS (
               SELECT FROM pg_constraint f WHERE f.conindid = i.indexrelid AND f.contype = 'f') AS needed,
           CASE WHEN i.indisprimary THEN 0 WHEN o.contype IS NOT NULL THEN 1 WHEN i.indisunique THEN 2 ELSE 3 END AS rank
    FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_am a ON a.oid = x.relam
    JOIN pg_namespace n ON n.oid = x.relnamespace
    LEFT JOIN pg_constraint o ON o.conindid = i.indexrelid AND o.contype IN ('p', 'u', 'x')
    WHERE n.nspname = ANY (%(schemas)s) AND i.indisvalid AND NOT x.relispartition
)
SELECT DISTINCT ON (r.nspname, r.relname) ARRAY[r.nspname, r.relname]::text[] AS name,
       ARRAY[b.nspname, b.relname]::text[] AS other, r.keys = b.keys AS same
FROM seen r
JOIN seen b ON b.indrelid = r.indrelid AND b.indexrelid <> r.indexrelid AND b.relam = r.relam
WHERE NOT r.needed
  AND (r.contype IS NULL OR b.contype IN ('p', 'u'))
  AND (b.is_immediate OR NOT r.is_immediate)
  AND r.holds <@ b.holds
  AND CASE WHEN r.is_unique
           THEN b.is_unique AND b.keys = r.keys AND b.nulls IS NOT DISTINCT FROM r.nulls
                AND (b.predicate IS NULL OR b.predicate = r.predicate)
           ELSE b.predicate IS NOT DISTINCT FROM r.predicate
                AND (b.keys = r.keys OR r.amname = 'btree' AND b.keys[1:cardinality(r.keys)] = r.keys) END
  -- Of two that do the same, the one that came later, and means less, is redundant.
  AND (b.keys <> r.keys OR NOT b.holds <@ r.holds OR b.predicate IS DISTINCT FROM r.predicate
       OR (b.rank, b.indexrelid) < (r.rank, r.indexrelid))
ORDER BY r.nspname, r.relname, b.keys = r.keys DESC, b.rank, b.indexrelid
