-- The type of the column of that name.
SELECT format_type(a.atttypid, a.atttypmod)
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = (%(name)s::text[])[1] AND c.relname = (%(name)s::text[])[2] AND a.attname = (%(name)s::text[])[3]
  AND a.attnum > 0 AND NOT a.attisdropped
