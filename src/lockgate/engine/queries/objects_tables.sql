-- What is wrong with the table (or any relation) of that name: an empty text if nothing.
SELECT CASE
    WHEN %(any)s OR c.relkind IN ('r', 'p', 'f') THEN ''
    ELSE 'a ' || CASE c.relkind
        WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index'
        ELSE 'relation of another kind' END END AS problem
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = (%(name)s::text[])[1] AND c.relname = (%(name)s::text[])[2]
