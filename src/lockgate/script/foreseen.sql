-- name: sizes
-- The server's estimates, of a partitioned table those of its parts: reading files would take a lock.
SELECT wanted.name,
       CASE WHEN bool_and(leaf.reltuples < 0) THEN NULL ELSE sum(greatest(leaf.reltuples, 0)) END::bigint AS rows,
       pg_size_pretty(sum(leaf.relpages::bigint) * current_setting('block_size')::bigint) AS size
FROM unnest(%(names)s::text[]) AS wanted(name)
JOIN pg_class c ON c.oid = to_regclass(wanted.name) AND c.relkind IN ('r', 'p', 'm')
CROSS JOIN LATERAL (
    SELECT c.oid AS relid WHERE c.relkind <> 'p'
    UNION ALL SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf AND c.relkind = 'p'
) AS part
JOIN pg_class leaf ON leaf.oid = part.relid AND leaf.relkind IN ('r', 'm')
GROUP BY wanted.name
