-- name: find
SELECT c.oid::bigint, c.relkind::text, c.relispartition OR EXISTS (
           SELECT FROM pg_catalog.pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)) AS inherits
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s

-- name: moved
-- The names that go along: of the table, which has a type of its name, of its indexes and of its own sequences.
SELECT c.relname FROM pg_catalog.pg_class c WHERE c.oid = %(oid)s
UNION SELECT i.relname FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
      WHERE x.indrelid = %(oid)s
UNION SELECT s.relname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.objid
      WHERE d.refobjid = %(oid)s AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.deptype IN ('a', 'i') AND s.relkind = 'S'

-- name: taken
SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(into)s
UNION SELECT t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname = %(into)s

-- name: mapped
SELECT m.plan || '/' || m.name FROM lockgate.mappings m
JOIN lockgate.sync_targets t ON t.id = m.target_id AND t.state NOT IN ('cut_over', 'closed')
WHERE t.relid = %(oid)s OR EXISTS (
    SELECT FROM lockgate.log_readers r JOIN lockgate.logs l ON l.id = r.log_id
    WHERE r.target_id = t.id AND l.relid = %(oid)s)
ORDER BY 1

-- name: referring
SELECT pg_catalog.format('"%%s" of %%I.%%I', c.conname, n.nspname, r.relname)
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
WHERE c.contype = 'f' AND c.confrelid = %(oid)s AND c.conrelid <> ALL (%(together)s::oid[])
ORDER BY 1

-- name: acting
-- A write to the table that is referred to writes here, too, be it no row, and would be refused.
SELECT pg_catalog.format('"%%s" to %%I.%%I', c.conname, n.nspname, r.relname)
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class r ON r.oid = c.confrelid
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
WHERE c.contype = 'f' AND c.conrelid = %(oid)s AND c.confrelid <> ALL (%(together)s::oid[])
  AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd'))
ORDER BY 1

-- name: of_step
-- Where it is now, NULL if it was dropped: somebody may have renamed it.
SELECT a.id, a.relid::bigint, a.from_schema, a.name, n.nspname, c.relname,
       (SELECT coalesce(sum(e.rows), 0)::bigint FROM lockgate.erased e WHERE e.archived = a.id)
FROM lockgate.archived a
LEFT JOIN pg_catalog.pg_class c ON c.oid = a.relid AND c.relkind = 'r'
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.plan = %(plan)s AND a.phase = %(phase)s AND a.step = %(step)s ORDER BY a.id

-- name: keep
INSERT INTO lockgate.archived (plan, phase, step, relid, from_schema, name, to_schema, row_count, bytes, content, measured_by,
                               why, replacement, purpose, basis, archived_at, retain_until)
VALUES (%(plan)s, %(phase)s, %(step)s, %(relid)s, %(from_schema)s, %(name)s, %(to_schema)s, %(row_count)s, %(bytes)s,
        %(content)s, %(measured_by)s, %(why)s, %(replacement)s, %(purpose)s, %(basis)s, %(archived_at)s, %(retain_until)s)

-- name: forget
DELETE FROM lockgate.archived WHERE relid = %(relid)s

-- name: in_schema
-- What was dropped is told of for ever.
SELECT (SELECT count(*) FROM lockgate.archived WHERE to_schema = %(schema)s)
     + (SELECT count(*) FROM lockgate.dropped WHERE to_schema = %(schema)s)

-- name: frozen
SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid = %(oid)s AND tgname = 'lockgate_archived'

-- name: names
SELECT from_schema || '.' || name FROM lockgate.archived ORDER BY 1

-- name: kept
-- Where each is now, NULL if somebody dropped it. One name may have been archived more than once; no name: all of the plan.
SELECT a.id, a.relid::bigint AS oid, a.from_schema, a.name, a.to_schema, n.nspname AS schema_now, c.relname AS name_now,
       a.row_count AS rows, a.content, a.measured_by, a.purpose, a.basis, a.archived_at, a.retain_until,
       (SELECT coalesce(sum(e.rows), 0)::bigint FROM lockgate.erased e WHERE e.archived = a.id)
           AS erased_rows
FROM lockgate.archived a
LEFT JOIN pg_catalog.pg_class c ON c.oid = a.relid AND c.relkind = 'r'
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.plan = %(plan)s
  AND (%(name)s::text IS NULL OR a.name = %(name)s AND %(schema)s IN (a.from_schema, a.to_schema))
ORDER BY c.oid IS NULL, a.id

-- name: there
SELECT pg_catalog.to_regclass('lockgate.archived') IS NOT NULL

-- name: state
-- Changes with whatever could change a row without being refused: the guard, the columns, the file of the table, and
-- subscriptions, whose rows fire no trigger of a statement.
SELECT pg_catalog.concat_ws(' ', c.xmin, c.relfilenode, t.xmin, s.subscribed, (
           SELECT pg_catalog.string_agg(a.xmin::text, ',' ORDER BY a.attnum)
           FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid)) AS token,
       coalesce(t.tgenabled = 'A' AND p.proname = 'refuse_archived', false) AS guarded, s.subscribed,
       pg_catalog.pg_total_relation_size(c.oid) AS bytes,
       pg_catalog.pg_database_size(pg_catalog.current_database()) AS database_bytes
FROM pg_catalog.pg_class c
CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM pg_catalog.pg_subscription_rel r WHERE r.srrelid = c.oid) AS subscribed) AS s
LEFT JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid AND t.tgname = 'lockgate_archived'
LEFT JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'lockgate'::regnamespace
WHERE c.oid = %(oid)s
