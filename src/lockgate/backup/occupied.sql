-- Relations and types that have one of the names, as people call them. The type of a table's rows goes with the table.
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence'
                      WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'type'
                      ELSE 'table' END || ' ' || n.nspname || '.' || c.relname AS thing
FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS wanted (schema, name)
JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
UNION
SELECT 'type ' || n.nspname || '.' || t.typname
FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS wanted (schema, name)
JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
JOIN pg_catalog.pg_type t ON t.typnamespace = n.oid AND t.typname = wanted.name AND t.typrelid = 0 AND t.typelem = 0
ORDER BY 1
