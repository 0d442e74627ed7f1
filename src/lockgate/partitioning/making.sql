-- name: columns
-- What can be written.
SELECT a.attname FROM pg_catalog.pg_attribute a
WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum

-- name: referred
-- A foreign key by which other rows would go, or refuse, when a row is moved from one partition to another.
SELECT pg_catalog.format('"%%s" of %%I.%%I', c.conname, n.nspname, r.relname)
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
WHERE c.contype = 'f' AND c.confrelid = ANY (%(oids)s::oid[]) AND c.conparentid = 0 ORDER BY 1

-- name: triggers
SELECT t.tgname, t.tgenabled::text FROM pg_catalog.pg_trigger t
WHERE t.tgrelid = %(oid)s AND NOT t.tgisinternal AND t.tgenabled <> 'D' ORDER BY t.tgname
