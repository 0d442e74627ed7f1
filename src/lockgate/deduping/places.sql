-- name: removed
SELECT pg_catalog.format('lockgate.%I', c.relname)
FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'lockgate'::regnamespace AND c.relkind = 'r' AND c.relname ~ '^removed_[0-9]+$'
ORDER BY c.relname
