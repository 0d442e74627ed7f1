-- name: there
SELECT pg_catalog.to_regclass('lockgate.home') IS NOT NULL

-- name: copied
-- No row if it is the one that was written, in the table that was made. A replica, a file-level copy, the copy of a
-- database as a template and pg_upgrade keep both; a restored dump and replication make others.
SELECT h.cluster, h.database
FROM (SELECT 1) AS one LEFT JOIN lockgate.home h ON true
WHERE (h.relation = h.tableoid AND h.transaction = h.xmin) IS NOT TRUE

-- name: may_ask
SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')

-- name: cluster
SELECT system_identifier FROM pg_catalog.pg_control_system()
