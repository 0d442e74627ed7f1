-- name: identity
-- Which cluster and which database this is, and whether it only follows.
SELECT c.system_identifier, d.oid::bigint, pg_catalog.pg_is_in_recovery()
FROM pg_catalog.pg_control_system() AS c, pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database()

-- name: behind
-- Bytes that are still to be replayed up to a place; NULL where nothing was replayed yet.
SELECT pg_catalog.pg_wal_lsn_diff(%(lsn)s::pg_catalog.pg_lsn, pg_catalog.pg_last_wal_replay_lsn())::bigint

-- name: unlogged
-- Tables of which a standby has no rows.
SELECT c.relnamespace::pg_catalog.regnamespace || '.' || c.relname
FROM unnest(%(oids)s::oid[]) AS asked (oid)
CROSS JOIN LATERAL (SELECT asked.oid AS relid UNION SELECT t.relid FROM pg_catalog.pg_partition_tree(asked.oid) t) AS part
JOIN pg_catalog.pg_class c ON c.oid = part.relid
WHERE c.relpersistence = 'u' AND c.relkind = 'r'
ORDER BY 1
