SELECT coalesce(string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.proname), 'none') AS drop_tables
FROM pg_catalog.pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.prosrc ~* '\mdrop\s+table\M'
