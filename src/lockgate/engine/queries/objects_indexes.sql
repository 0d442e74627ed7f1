-- What is wrong with the index of that name: an empty text if nothing.
SELECT CASE
    WHEN NOT i.indisvalid THEN 'INVALID: its build failed or is going on'
    WHEN NOT i.indisready THEN 'not ready: its build is going on'
    ELSE '' END AS problem
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_index i ON i.indexrelid = c.oid
WHERE n.nspname = (%(name)s::text[])[1] AND c.relname = (%(name)s::text[])[2]
