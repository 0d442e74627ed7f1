-- A btree takes at most 2,704 bytes: a column of text or jsonb has no limit, and varchar(n) takes up to four bytes a sign.
-- The messenger's own tables are as they are.
SELECT coalesce(string_agg(format('%s of column %s', i.indexrelid::regclass, a.attname), ', ' ORDER BY x.relname), 'none')
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
JOIN pg_catalog.pg_am m ON m.oid = x.relam AND m.amname = 'btree'
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey::int2[])
WHERE t.relnamespace = 'public'::regnamespace AND t.relname NOT LIKE 'whatsapp\_%' AND t.relname <> 'lockgate_migrations'
  AND (a.atttypid IN ('text'::regtype, 'json'::regtype, 'jsonb'::regtype, 'bytea'::regtype)
       OR a.atttypid = 'varchar'::regtype AND (a.atttypmod < 0 OR (a.atttypmod - 4) * 4 > 2600))
