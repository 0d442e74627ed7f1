SELECT x.gid::text AS gid, extract(epoch FROM pg_catalog.clock_timestamp() - x.prepared)::float8 AS seconds
FROM pg_catalog.pg_prepared_xacts x
WHERE x.database = pg_catalog.current_database()
ORDER BY x.prepared
