-- What is wrong with the constraint of that name: an empty text if nothing.
SELECT CASE WHEN o.convalidated THEN '' ELSE 'not validated' END AS problem
FROM pg_constraint o
JOIN pg_class c ON c.oid = o.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = (%(name)s::text[])[1] AND c.relname = (%(name)s::text[])[2] AND o.conname = (%(name)s::text[])[3]
