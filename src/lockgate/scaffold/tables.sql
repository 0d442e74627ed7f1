-- The tables that rows live in, the largest first, with what a plan needs to know about each.
SELECT c.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name,
       pg_catalog.format('%I.%I', n.nspname, c.relname) AS sql, pg_catalog.quote_ident(c.relname) AS quoted_name,
       greatest(c.reltuples, 0)::bigint AS rows,
       pg_catalog.pg_total_relation_size(c.oid) AS bytes,
       c.relkind = 'p' AS partitioned,
       coalesce((
           SELECT array_agg(a.attname::text ORDER BY k.position)
           FROM pg_catalog.pg_index i
           CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, position)
           JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
           WHERE i.indrelid = c.oid AND i.indisprimary AND k.position <= i.indnkeyatts), '{}') AS primary_key,
       coalesce((
           SELECT array_agg(x.name ORDER BY x.name)
           FROM (SELECT DISTINCT rn.nspname || '.' || r.relname AS name
                 FROM pg_catalog.pg_constraint f
                 JOIN pg_catalog.pg_class r ON r.oid = f.confrelid
                 JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
                 WHERE f.conrelid = c.oid AND f.contype = 'f') x), '{}') AS refers_to
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'lockgate') AND n.nspname NOT LIKE 'pg\_%'
  AND NOT EXISTS (  -- what an extension owns is not the team's to move
      SELECT 1 FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.reltuples DESC, n.nspname, c.relname
