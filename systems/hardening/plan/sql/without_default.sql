SELECT count(*)
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relnamespace = 'core'::regnamespace
WHERE a.attname IN ('created_at', 'updated_at') AND NOT a.atthasdef AND NOT a.attisdropped
