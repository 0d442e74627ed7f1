-- name: find
SELECT pg_catalog.to_regclass(%s)::oid::bigint AS oid

-- name: of_schema
SELECT c.oid::bigint AS oid
  FROM pg_catalog.pg_class c
 WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = %s) AND c.relkind <> 'c'

-- name: relation
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
       c.relpersistence::text AS persistence, coalesce(am.amname, '') AS method, c.relispartition AS partition,
       EXISTS (SELECT FROM pg_catalog.pg_partitioned_table p WHERE p.partdefid = c.oid) AS default_partition,
       ARRAY(SELECT i.inhparent::bigint FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno)
           AS parents,
       ARRAY(SELECT i.inhrelid::bigint FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid ORDER BY 1) AS children,
       ARRAY(SELECT g.tgname FROM pg_catalog.pg_trigger g
              WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgtype::int & 1 = 1) AS row_triggers,
       coalesce(p.partdefid::bigint, 0) AS default,
       coalesce(p.partattrs::int[], '{}') AS key, coalesce(p.partstrat::text, '') AS strategy,
       ARRAY(SELECT DISTINCT d.refobjid::bigint
               FROM pg_catalog.pg_rewrite r
               JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
              WHERE r.ev_class = c.oid AND c.relkind IN ('v', 'm')
                AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> c.oid) AS reads,
       coalesce((SELECT i.indrelid::bigint FROM pg_catalog.pg_index i WHERE i.indexrelid = c.oid), 0) AS table
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
  LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = c.oid
 WHERE c.oid = %s

-- name: columns
SELECT a.attnum AS number, a.attname AS name, a.atttypid::bigint AS type, a.atttypmod AS typmod,
       a.attcollation::bigint AS collation, a.attnotnull AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_constraint k
            WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated
       ) AS not_null, a.attgenerated::text AS generated,
       a.atthasdef AND a.attgenerated = '' AS default
  FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum

-- name: indexes
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relam::bigint AS method,
       i.indisunique AS unique, i.indisprimary AS primary, i.indisexclusion AS exclusion,
       (i.indkey::int[])[0 : i.indnkeyatts - 1] AS columns, i.indclass::oid[]::bigint[] AS opclasses,
       ARRAY(SELECT k FROM pg_catalog.unnest(i.indkey::int[]) AS k WHERE k > 0
             UNION
             SELECT d.refobjsubid FROM pg_catalog.pg_depend d
              WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid
                AND d.refobjsubid > 0) AS uses,
       i.indexprs IS NULL AND i.indpred IS NULL AND i.indisvalid AS plain, c.relispartition AS part
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE i.indrelid = %s
 ORDER BY c.relname

-- name: constraints
SELECT k.conname AS name, k.contype::text AS kind, k.conrelid::bigint AS table,
       coalesce(k.conkey::int[], '{}') AS columns, k.confrelid::bigint AS into,
       coalesce(k.confkey::int[], '{}') AS into_columns, k.convalidated AS validated,
       k.conparentid <> 0 AS inherited, k.confdeltype::text AS on_delete, k.confupdtype::text AS on_update,
       coalesce(pg_catalog.pg_get_expr(k.conbin, k.conrelid), '') AS expression
  FROM pg_catalog.pg_constraint k
 WHERE k.contype IN ('c', 'f', 'n') AND (k.conrelid = %(oid)s OR k.confrelid = %(oid)s)
 ORDER BY k.conname

-- name: sequences
SELECT n.nspname AS schema, c.relname AS name, d.refobjsubid AS column, d.deptype = 'i' AS identity
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
   AND d.refobjid = %s AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')

-- name: regtype
SELECT pg_catalog.to_regtype(%s)::oid::bigint AS oid

-- name: type
WITH RECURSIVE chain AS (
    SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, t.typnotnull FROM pg_catalog.pg_type t WHERE t.oid = %s
    UNION ALL
    SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, t.typnotnull
      FROM chain JOIN pg_catalog.pg_type t ON t.oid = chain.typbasetype
)
SELECT b.oid::bigint AS oid, b.typname AS name, b.typcollation::bigint AS collation,
       b.typelem::bigint * (b.typcategory = 'A')::int AS element,
       (SELECT count(*) FROM chain) > 1 AS domain,
       coalesce((SELECT max(typtypmod) FROM chain WHERE typtype = 'd'), -1) AS typmod,
       (SELECT coalesce(bool_or(chain.typnotnull), false) FROM chain WHERE typtype = 'd')
           OR EXISTS (SELECT FROM pg_catalog.pg_constraint k JOIN chain ON k.contypid = chain.oid) AS constrained
  FROM chain
  JOIN pg_catalog.pg_type b ON b.oid = chain.oid
 WHERE chain.typtype <> 'd'

-- name: cast
SELECT k.castmethod::text AS method
  FROM pg_catalog.pg_cast k
 WHERE k.castsource = %s AND k.casttarget = %s

-- name: operator_class
SELECT o.oid::bigint AS oid
  FROM pg_catalog.pg_opclass o
  JOIN pg_catalog.pg_type t ON t.oid = %(type)s
  JOIN pg_catalog.pg_type i ON i.oid = o.opcintype
 WHERE o.opcmethod = %(method)s AND o.opcdefault
   AND (o.opcintype = t.oid
        OR EXISTS (SELECT FROM pg_catalog.pg_cast k
                    WHERE k.castsource = t.oid AND k.casttarget = o.opcintype AND k.castmethod = 'b'
                      AND k.castcontext = 'i')
        OR i.typname = 'anyarray' AND t.typcategory = 'A'
        OR i.typname = 'anyenum' AND t.typtype = 'e'
        OR i.typname = 'anyrange' AND t.typtype = 'r'
        OR i.typname = 'anymultirange' AND t.typtype = 'm')
 ORDER BY o.opcintype = t.oid DESC, i.typispreferred DESC
 LIMIT 1

-- name: collation
SELECT coalesce(pg_catalog.to_regcollation(%s)::oid::bigint, 0) AS oid

-- name: volatile
SELECT DISTINCT a.name
  FROM ROWS FROM (pg_catalog.unnest(%s::text[]), pg_catalog.unnest(%s::int[])) AS a (name, arguments)
  LEFT JOIN (pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace)
    ON (a.name IN (n.nspname || '.' || p.proname)
        OR a.name = p.proname AND n.oid = ANY (pg_catalog.current_schemas(true)::text[]::regnamespace[]::oid[]))
   AND (p.pronargs = a.arguments OR a.arguments BETWEEN p.pronargs - p.pronargdefaults AND p.pronargs
        OR p.provariadic <> 0)
 WHERE p.oid IS NULL OR p.provolatile = 'v'

-- name: dropped
WITH RECURSIVE gone AS (
    SELECT a.class::oid AS classid, a.object::oid AS objid, a.part AS objsubid
      FROM ROWS FROM (pg_catalog.unnest(%s::bigint[]), pg_catalog.unnest(%s::bigint[]), pg_catalog.unnest(%s::int[]))
           AS a (class, object, part)
    UNION
    SELECT d.classid, d.objid, d.objsubid
      FROM gone
     CROSS JOIN LATERAL (
        SELECT d.classid, d.objid, d.objsubid
          FROM pg_catalog.pg_depend d
         WHERE d.refclassid = gone.classid AND d.refobjid = gone.objid
           AND (gone.objsubid = 0 OR d.refobjsubid = gone.objsubid)
        UNION ALL
        -- A view goes with its rule, and a generated column with its expression.
        SELECT d.refclassid, d.refobjid, d.refobjsubid
          FROM pg_catalog.pg_depend d
          LEFT JOIN pg_catalog.pg_attrdef g ON gone.classid = 'pg_catalog.pg_attrdef'::regclass AND g.oid = gone.objid
          LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = g.adrelid AND a.attnum = g.adnum
         WHERE d.classid = gone.classid AND d.objid = gone.objid
           AND (gone.classid = 'pg_catalog.pg_rewrite'::regclass AND d.deptype = 'i'
                OR a.attgenerated <> '' AND d.refobjid = g.adrelid AND d.refobjsubid = g.adnum)
     ) AS d
)
SELECT DISTINCT n.nspname AS schema, c.relname AS name, l.weak
  FROM gone
 CROSS JOIN LATERAL (
    SELECT gone.objid AS oid, false AS weak WHERE gone.classid = 'pg_catalog.pg_class'::regclass
    UNION ALL
    SELECT i.indrelid, false FROM pg_catalog.pg_index i
     WHERE gone.classid = 'pg_catalog.pg_class'::regclass AND i.indexrelid = gone.objid
    UNION ALL
    SELECT i.inhparent, false
      FROM pg_catalog.pg_inherits i
      JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition AND c.relkind IN ('r', 'p', 'f')
     WHERE gone.classid = 'pg_catalog.pg_class'::regclass AND i.inhrelid = gone.objid AND gone.objsubid = 0
    UNION ALL
    SELECT p.partdefid, false
      FROM pg_catalog.pg_inherits i
      JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = i.inhparent AND p.partdefid <> 0
     WHERE gone.classid = 'pg_catalog.pg_class'::regclass AND i.inhrelid = gone.objid AND gone.objsubid = 0
    UNION ALL
    SELECT k.conrelid, false FROM pg_catalog.pg_constraint k
     WHERE gone.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = gone.objid
    UNION ALL
    SELECT g.tgrelid, false FROM pg_catalog.pg_trigger g
     WHERE gone.classid = 'pg_catalog.pg_trigger'::regclass AND g.oid = gone.objid
    UNION ALL
    SELECT a.adrelid, false FROM pg_catalog.pg_attrdef a
     WHERE gone.classid = 'pg_catalog.pg_attrdef'::regclass AND a.oid = gone.objid
    UNION ALL
    SELECT p.polrelid, false FROM pg_catalog.pg_policy p
     WHERE gone.classid = 'pg_catalog.pg_policy'::regclass AND p.oid = gone.objid
    UNION ALL
    SELECT r.ev_class, false FROM pg_catalog.pg_rewrite r
     WHERE gone.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = gone.objid
    UNION ALL
    SELECT s.stxrelid, true FROM pg_catalog.pg_statistic_ext s
     WHERE gone.classid = 'pg_catalog.pg_statistic_ext'::regclass AND s.oid = gone.objid
 ) AS l
  JOIN pg_catalog.pg_class c ON c.oid = l.oid AND c.relkind NOT IN ('c', 't')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname <> 'pg_toast'

-- name: part_constraint
SELECT 'pg_catalog.pg_constraint'::regclass::oid::bigint AS class, oid::bigint AS object
  FROM pg_catalog.pg_constraint WHERE conrelid = %s AND conname = %s

-- name: part_trigger
SELECT 'pg_catalog.pg_trigger'::regclass::oid::bigint AS class, oid::bigint AS object
  FROM pg_catalog.pg_trigger WHERE tgrelid = %s AND tgname = %s

-- name: part_policy
SELECT 'pg_catalog.pg_policy'::regclass::oid::bigint AS class, oid::bigint AS object
  FROM pg_catalog.pg_policy WHERE polrelid = %s AND polname = %s

-- name: part_rule
SELECT 'pg_catalog.pg_rewrite'::regclass::oid::bigint AS class, oid::bigint AS object
  FROM pg_catalog.pg_rewrite WHERE ev_class = %s AND rulename = %s

-- name: root_type
SELECT 'pg_catalog.pg_type'::regclass::oid::bigint AS class, pg_catalog.to_regtype(%s)::oid::bigint AS object

-- name: root_function
SELECT 'pg_catalog.pg_proc'::regclass::oid::bigint AS class,
       coalesce(pg_catalog.to_regprocedure(%(text)s)::oid,
                pg_catalog.to_regproc(pg_catalog.split_part(%(text)s, '(', 1))::oid)::bigint AS object

-- name: root_schema
SELECT 'pg_catalog.pg_namespace'::regclass::oid::bigint AS class,
       (SELECT oid::bigint FROM pg_catalog.pg_namespace WHERE nspname = %s) AS object

-- name: root_extension
SELECT 'pg_catalog.pg_extension'::regclass::oid::bigint AS class,
       (SELECT oid::bigint FROM pg_catalog.pg_extension WHERE extname = %s) AS object

-- name: root_statistics
SELECT 'pg_catalog.pg_statistic_ext'::regclass::oid::bigint AS class, s.oid::bigint AS object
  FROM pg_catalog.pg_statistic_ext s
  JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
 WHERE s.stxname = %(name)s AND (n.nspname = %(schema)s
                                 OR %(schema)s = '' AND n.nspname = ANY (pg_catalog.current_schemas(false)))

-- name: users_of_type
WITH RECURSIVE made AS (
    SELECT pg_catalog.to_regtype(%s)::oid AS oid
    UNION
    SELECT t.oid FROM made JOIN pg_catalog.pg_type t ON t.typbasetype = made.oid AND t.typtype = 'd'
)
SELECT DISTINCT c.oid::bigint AS oid
  FROM made
  JOIN pg_catalog.pg_attribute a ON a.atttypid = made.oid AND NOT a.attisdropped AND a.attnum > 0
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'm')

-- name: utc
SELECT pg_catalog.current_setting('TimeZone') IN
           ('UTC', 'GMT', 'UCT', 'Zulu', 'Universal', 'Greenwich', 'GMT0', 'GMT+0', 'GMT-0', 'Etc/UTC', 'Etc/GMT',
            'Etc/UCT', 'Etc/Zulu', 'Etc/Universal', 'Etc/Greenwich', 'Etc/GMT0', 'Etc/GMT+0', 'Etc/GMT-0') AS utc
