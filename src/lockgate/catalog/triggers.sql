SELECT t.tgname AS name, t.tgenabled::text AS enabled, p.oid::regprocedure::text AS function
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
WHERE t.tgrelid = %(oid)s AND NOT t.tgisinternal AND t.tgname NOT LIKE 'lockgate\_%%'
ORDER BY t.tgname
