-- Functions that the server keeps as a text, which it reads only when they run.
SELECT p.oid::bigint AS oid, named.identity AS name, named.type AS type, l.lanname AS language, p.prosrc AS body
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
CROSS JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_proc'::regclass, p.oid, 0) AS named
WHERE p.prosqlbody IS NULL AND l.lanname <> 'internal' AND p.prokind <> 'a'
AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'lockgate')
-- What an extension has in C knows no table of the application by itself.
AND NOT (l.lanname = 'c' AND EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'))
ORDER BY named.identity
