-- What is wrong with the trigger of that name: an empty text if nothing.
SELECT CASE t.tgenabled
    WHEN 'D' THEN 'disabled'
    WHEN 'R' THEN 'enabled for replicas only'
    ELSE '' END AS problem
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = (%(name)s::text[])[1] AND c.relname = (%(name)s::text[])[2] AND t.tgname = (%(name)s::text[])[3]
