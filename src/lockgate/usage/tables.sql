-- Every table that may be asked about, and of a partitioned one also each table that holds its rows.
WITH RECURSIVE roots AS (
    SELECT c.oid, n.nspname, c.relname
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'f')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'lockgate')
    AND n.nspname NOT LIKE 'pg\_temp\_%' AND n.nspname NOT LIKE 'pg\_toast\_temp\_%'
), family AS (
    SELECT oid AS root, oid FROM roots
    UNION
    SELECT family.root, i.inhrelid FROM family JOIN pg_catalog.pg_inherits i ON i.inhparent = family.oid
)
SELECT r.nspname AS root_schema, r.relname AS root_name, c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name,
       c.relkind::text AS kind
FROM roots r
JOIN family ON family.root = r.oid
JOIN pg_catalog.pg_class c ON c.oid = family.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY r.nspname, r.relname, n.nspname, c.relname
