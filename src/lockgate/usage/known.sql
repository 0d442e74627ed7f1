SELECT pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS reads_all,
       (SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'pg_stat_statements') AS statements,
       (SELECT count(*) FROM pg_catalog.pg_stat_replication r WHERE r.state IS DISTINCT FROM 'backup') AS replicas
