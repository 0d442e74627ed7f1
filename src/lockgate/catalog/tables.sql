-- name: known
-- Tables with rows of their own that pg_dump takes, each partitioned one as a whole; without those of extensions.
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name,
       parts.names, parts.foreign_parts
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN LATERAL (
    SELECT array_agg(pg_catalog.format('%%I.%%I', pn.nspname, p.relname) ORDER BY p.oid) AS names,
           coalesce(array_agg(pn.nspname || '.' || p.relname) FILTER (WHERE p.relkind = 'f'), '{}') AS foreign_parts
    FROM (SELECT c.oid AS relid WHERE c.relkind = 'r'
          UNION ALL
          SELECT t.relid FROM pg_catalog.pg_partition_tree(c.oid) t WHERE c.relkind = 'p') tree
    JOIN pg_catalog.pg_class p ON p.oid = tree.relid
    JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
) parts ON true
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname

-- name: size
-- With indexes. It waits for locks, so only the tables that are meant are asked.
SELECT coalesce(sum(pg_catalog.pg_total_relation_size(p.oid)), 0)::bigint
FROM (SELECT c.oid AS relid FROM pg_catalog.pg_class c WHERE c.oid = %(oid)s AND c.relkind = 'r'
      UNION ALL
      SELECT t.relid FROM pg_catalog.pg_class c, pg_catalog.pg_partition_tree(c.oid) t
      WHERE c.oid = %(oid)s AND c.relkind = 'p') tree
JOIN pg_catalog.pg_class p ON p.oid = tree.relid
WHERE p.relkind <> 'f'
