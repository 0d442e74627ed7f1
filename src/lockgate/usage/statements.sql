SELECT coalesce(r.rolname, '') AS role, '' AS application, s.query
FROM {schema}.pg_stat_statements s
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.userid
WHERE s.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
AND s.query IS NOT NULL
ORDER BY s.calls DESC
