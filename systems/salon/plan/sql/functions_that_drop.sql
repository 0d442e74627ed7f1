SELECT p.oid::regprocedure AS drops_tables
FROM pg_catalog.pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.prosrc ~* '\mdrop\s+table\M'
