-- name: cascades
-- The foreign keys by which rows of a table go with rows of another one: that table, and its key and ours.
SELECT pg_catalog.format('%%I.%%I', n.nspname, r.relname) AS parent, pg_catalog.string_agg(pg_catalog.format(
           'p.%%I OPERATOR(%%I.%%s) OLD.%%I', pa.attname, opn.nspname, o.oprname, a.attname), ' AND ' ORDER BY k.n) AS pairs,
       pg_catalog.string_agg(pg_catalog.format('OLD.%%I IS NOT NULL', a.attname), ' AND ' ORDER BY k.n) AS filled
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class r ON r.oid = c.confrelid
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
CROSS JOIN LATERAL unnest(c.confkey, c.conpfeqop, c.conkey) WITH ORDINALITY AS k (pk, op, fk, n)
JOIN pg_catalog.pg_attribute pa ON pa.attrelid = c.confrelid AND pa.attnum = k.pk
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.fk
JOIN pg_catalog.pg_operator o ON o.oid = k.op
JOIN pg_catalog.pg_namespace opn ON opn.oid = o.oprnamespace
WHERE c.contype = 'f' AND c.conrelid = %(oid)s AND c.confdeltype = 'c' AND c.conparentid = 0
GROUP BY c.oid, parent ORDER BY c.oid

-- name: guarded
-- Of partitions the table that they are parts of has the trigger; what only refuses TRUNCATE is on each.
SELECT DISTINCT t.tgrelid::bigint FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
WHERE p.pronamespace = 'lockgate'::regnamespace AND 'lockgate.' || p.proname = %(function)s
  AND t.tgparentid = 0 AND NOT c.relispartition ORDER BY 1
