-- What the role may see and do.
SELECT current_user::text AS role,
       (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) AS superuser,
       pg_catalog.current_database()::text AS database,
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') AS may_create,
       pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all,
       (SELECT pg_catalog.pg_has_role(n.nspowner, 'USAGE') FROM pg_catalog.pg_namespace n
        WHERE n.nspname = 'lockgate') AS owns_ledger
