-- The table (or any relation) of that name: an empty text.
SELECT '' AS problem
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = (%(name)s::text[])[1] AND c.relname = (%(name)s::text[])[2]
  AND (%(any)s OR c.relkind IN ('r', 'p', 'f'))
