-- name: begin
INSERT INTO lockgate.copies (plan, name) VALUES (%(plan)s, %(name)s) ON CONFLICT DO NOTHING

-- name: there
SELECT pg_catalog.to_regclass('lockgate.copies') IS NOT NULL

-- name: find
SELECT id, plan, name, begun::text::bigint AS begun, removing,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint - begun::text::bigint AS age
FROM lockgate.copies WHERE plan = %(plan)s AND name = %(name)s

-- name: table
INSERT INTO lockgate.copied_tables (copy_id, relid, label) VALUES (%(copy)s, %(relid)s, %(label)s)
ON CONFLICT DO NOTHING

-- name: tables
SELECT relid::bigint AS relid, label, own_rows, source, left_as FROM lockgate.copied_tables WHERE copy_id = %(copy)s

-- name: wrote
INSERT INTO lockgate.copy_writes (copy_id, relid, xid) VALUES (%(copy)s, %(relid)s, pg_current_xact_id())
ON CONFLICT DO NOTHING

-- name: own
UPDATE lockgate.copied_tables SET own_rows = %(rows)s WHERE copy_id = %(copy)s AND relid = %(relid)s

-- name: agreed
UPDATE lockgate.copied_tables SET source = %(content)s, left_as = NULL WHERE copy_id = %(copy)s AND relid = %(relid)s

-- name: leaving
UPDATE lockgate.copied_tables SET left_as = %(content)s WHERE copy_id = %(copy)s AND relid = %(relid)s

-- name: removing
UPDATE lockgate.copies SET removing = true WHERE id = %(copy)s

-- name: forget
DELETE FROM lockgate.copies WHERE id = %(copy)s
