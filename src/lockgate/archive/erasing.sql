-- name: referring
-- Foreign keys between these tables: who refers to whom.
SELECT c.conrelid::bigint, c.confrelid::bigint FROM pg_catalog.pg_constraint c
WHERE c.contype = 'f' AND c.conrelid = ANY (%(oids)s::oid[]) AND c.confrelid = ANY (%(oids)s::oid[])
  AND c.conrelid <> c.confrelid

-- name: acting
-- Foreign keys of other tables by which rows of theirs go, or change, with rows of these.
SELECT c.conname AS key, c.conrelid::bigint AS oid, n.nspname AS schema, r.relname AS name, c.confrelid::bigint AS parent,
       EXISTS (SELECT FROM lockgate.archived a WHERE a.relid = c.conrelid) AS archived,
       pg_catalog.string_agg(pg_catalog.format(
           'p.%%I OPERATOR(%%I.%%s) c.%%I', pa.attname, opn.nspname, o.oprname, a.attname), ' AND ' ORDER BY k.n) AS pairs
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
CROSS JOIN LATERAL unnest(c.confkey, c.conpfeqop, c.conkey) WITH ORDINALITY AS k (pk, op, fk, n)
JOIN pg_catalog.pg_attribute pa ON pa.attrelid = c.confrelid AND pa.attnum = k.pk
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.fk
JOIN pg_catalog.pg_operator o ON o.oid = k.op
JOIN pg_catalog.pg_namespace opn ON opn.oid = o.oprnamespace
WHERE c.contype = 'f' AND c.confdeltype IN ('c', 'n', 'd') AND c.conparentid = 0
  AND c.confrelid = ANY (%(oids)s::oid[]) AND c.conrelid <> ALL (%(oids)s::oid[])
GROUP BY c.oid, n.nspname, r.relname ORDER BY c.oid

-- name: rules
-- What would have a DELETE do something else, or something besides.
SELECT r.rulename FROM pg_catalog.pg_rewrite r WHERE r.ev_class = %(oid)s AND r.ev_type = '4' AND r.ev_enabled <> 'D'

-- name: triggers
-- All that may run when rows go, ours that refuses it among them, but for those that foreign keys are made of.
SELECT t.tgname, t.tgenabled::text FROM pg_catalog.pg_trigger t
WHERE t.tgrelid = %(oid)s AND NOT t.tgisinternal AND t.tgenabled <> 'D' ORDER BY t.tgname

-- name: measured
UPDATE lockgate.archived SET row_count = %(rows_after)s, content = %(content_after)s, measured_by = %(measured_by)s
WHERE id = %(archived)s

-- name: keep
INSERT INTO lockgate.erased (request, archived, plan, from_schema, name, to_schema, by_column, rows, rows_before, content_before,
                             rows_after, content_after, measured_by, because, erased_by, erased_at)
VALUES (%(request)s, %(archived)s, %(plan)s, %(from_schema)s, %(name)s, %(to_schema)s, %(by_column)s, %(rows)s, %(rows_before)s,
        %(content_before)s, %(rows_after)s, %(content_after)s, %(measured_by)s, %(because)s, %(erased_by)s, %(erased_at)s)

-- name: done
SELECT archived, rows FROM lockgate.erased WHERE request = %(request)s

-- name: since
-- What was erased after a time from tables that had, or have, one of these names.
SELECT e.from_schema || '.' || e.name AS label, pg_catalog.sum(e.rows)::bigint AS rows,
       pg_catalog.array_agg(DISTINCT e.because ORDER BY e.because) AS because
FROM lockgate.erased e
WHERE e.erased_at > %(at)s
  AND (e.from_schema || '.' || e.name = ANY (%(labels)s) OR e.to_schema || '.' || e.name = ANY (%(labels)s))
GROUP BY 1 ORDER BY 1
