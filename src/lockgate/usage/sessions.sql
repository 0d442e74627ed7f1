SELECT coalesce(a.usename, '') AS role, coalesce(a.application_name, '') AS application, a.query
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
AND a.backend_type = 'client backend' AND a.application_name NOT LIKE 'lockgate:%'
ORDER BY a.backend_start
