-- name: find
SELECT c.oid::bigint, c.relkind::text, c.relispartition OR EXISTS (
           SELECT FROM pg_catalog.pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)) AS inherits
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s

-- name: clashes
-- A type is made with each table, and indexes and sequences move along.
SELECT pg_catalog.format('%%I.%%I', n.nspname, taken.relname)
FROM (SELECT c.relname FROM pg_catalog.pg_class c WHERE c.oid = %(oid)s
      UNION SELECT i.relname FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
            WHERE x.indrelid = %(oid)s
      UNION SELECT s.relname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.objid
            WHERE d.refobjid = %(oid)s AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
              AND d.deptype IN ('a', 'i') AND s.relkind = 'S') AS moved
JOIN pg_catalog.pg_class taken USING (relname)
JOIN pg_catalog.pg_namespace n ON n.oid = taken.relnamespace AND n.nspname = %(into)s
ORDER BY 1

-- name: mapped
SELECT m.plan || '/' || m.name FROM lockgate.mappings m
JOIN lockgate.sync_targets t ON t.id = m.target_id
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

-- name: of_step
SELECT relid::bigint, from_schema, name, to_schema FROM lockgate.archived
WHERE plan = %(plan)s AND phase = %(phase)s AND step = %(step)s ORDER BY id

-- name: keep
INSERT INTO lockgate.archived (plan, phase, step, relid, from_schema, name, to_schema, row_count, bytes, content, why,
                               replacement, archived_at, retain_until)
VALUES (%(plan)s, %(phase)s, %(step)s, %(relid)s, %(from_schema)s, %(name)s, %(to_schema)s, %(row_count)s, %(bytes)s,
        %(content)s, %(why)s, %(replacement)s, %(archived_at)s, %(retain_until)s)

-- name: forget
DELETE FROM lockgate.archived WHERE relid = %(relid)s

-- name: in_schema
SELECT count(*) FROM lockgate.archived WHERE to_schema = %(schema)s

-- name: frozen
SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid = %(oid)s AND tgname = 'lockgate_archived'

-- name: names
SELECT from_schema || '.' || name FROM lockgate.archived ORDER BY 1
