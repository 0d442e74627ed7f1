-- name: there
SELECT pg_catalog.to_regclass('lockgate.normalisations') IS NOT NULL

-- name: begin
INSERT INTO lockgate.normalisations (plan, name, relid, key, definition)
VALUES (%(plan)s, %(name)s, %(relid)s, %(key)s, %(definition)s) ON CONFLICT (plan, name) DO NOTHING

-- name: find
SELECT id, plan, name, relid::bigint AS relid, key, definition
FROM lockgate.normalisations WHERE plan = %(plan)s AND name = %(name)s

-- name: of_tables
SELECT id, plan, name, relid::bigint AS relid, key, definition
FROM lockgate.normalisations WHERE relid = ANY (%(relids)s::oid[]) ORDER BY id

-- name: forget
DELETE FROM lockgate.normalisations WHERE id = %(id)s

-- name: release
DELETE FROM lockgate.quarantine
WHERE plan = %(plan)s AND mapping = %(name)s AND outcome = coalesce(%(outcome)s, outcome)

-- name: keep
INSERT INTO lockgate.quarantine (plan, mapping, outcome, reason, source, kept)
SELECT %(plan)s, %(name)s, 'rejected', l.reason, l.source::jsonb, l.kept::jsonb
FROM unnest(%(reasons)s::text[], %(sources)s::text[], %(kept)s::text[]) AS l (reason, source, kept)
