-- Objects that a change log or a target once needed and that the ledger knows nothing of any more.
WITH known AS (
    SELECT pg_catalog.format('%s_%s', p.name, t.id) AS stem
    FROM lockgate.sync_targets t CROSS JOIN (VALUES ('recheck'), ('born'), ('replaced'), ('before')) p (name)
    UNION ALL
    SELECT pg_catalog.format('log_%s', l.id) FROM lockgate.logs l
)
SELECT 'table' AS kind, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
       pg_catalog.format('DROP TABLE %I.%I', n.nspname, c.relname) AS remove
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'lockgate' AND c.relkind = 'r' AND c.relname ~ '^(recheck|born|replaced|before|log)_\d+(_[ab])?$'
  AND substring(c.relname FROM '^[a-z]+_\d+') NOT IN (SELECT stem FROM known)
UNION ALL
SELECT 'function', p.oid::regprocedure::text, pg_catalog.format('DROP FUNCTION %s CASCADE', p.oid::regprocedure)
FROM pg_catalog.pg_proc p
WHERE p.pronamespace = 'lockgate'::regnamespace AND p.proname ~ '^log_\d+_'
  AND substring(p.proname FROM '^log_\d+') NOT IN (SELECT stem FROM known)
ORDER BY 1, 2
