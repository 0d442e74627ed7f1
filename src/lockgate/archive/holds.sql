-- name: stand
-- The holds that were not released, the oldest first; no plan: of all, no table: on all.
SELECT h.id, h.plan, a.phase, h.archived, h.from_schema, h.name, h.to_schema, h.because, h.held_by, h.held_at
FROM lockgate.holds h LEFT JOIN lockgate.archived a ON a.id = h.archived
WHERE h.released_at IS NULL AND (%(plan)s::text IS NULL OR h.plan = %(plan)s)
  AND (%(archived)s::bigint IS NULL OR h.archived = %(archived)s)
ORDER BY h.id

-- name: lock
-- Whoever erases, drops or takes out, and whoever holds, one after the other.
SELECT id FROM lockgate.archived WHERE id = %(archived)s FOR UPDATE

-- name: place
INSERT INTO lockgate.holds (archived, plan, from_schema, name, to_schema, because, held_by, held_at)
SELECT a.id, a.plan, a.from_schema, a.name, a.to_schema, %(because)s, %(by)s, %(at)s
FROM lockgate.archived a WHERE a.id = %(archived)s
RETURNING id

-- name: release
UPDATE lockgate.holds SET released_because = %(because)s, released_by = %(by)s, released_at = %(at)s
WHERE id = %(id)s AND released_at IS NULL
RETURNING id
