-- name: begin
INSERT INTO lockgate.cutovers (plan, phase, step, state) VALUES (%(plan)s, %(phase)s, %(step)s, 'preparing')
ON CONFLICT (plan, step) DO NOTHING

-- name: find
SELECT c.id, c.state, c.at,
       ARRAY(SELECT t.target_id FROM lockgate.cutover_targets t WHERE t.cutover_id = c.id AND NOT t.back ORDER BY 1) AS targets,
       ARRAY(SELECT t.target_id FROM lockgate.cutover_targets t WHERE t.cutover_id = c.id AND t.back ORDER BY 1) AS back,
       ARRAY(SELECT o.relid::bigint FROM lockgate.closed_tables o WHERE o.cutover_id = c.id ORDER BY 1) AS closed
FROM lockgate.cutovers c WHERE c.plan = %(plan)s AND c.step = %(step)s

-- name: move
UPDATE lockgate.cutovers SET state = %(state)s, at = coalesce(%(at)s, at) WHERE id = %(id)s

-- name: reopen
DELETE FROM lockgate.closed_tables WHERE cutover_id = %(id)s

-- name: forget
DELETE FROM lockgate.cutovers WHERE id = %(id)s

-- name: has
INSERT INTO lockgate.cutover_targets (target_id, cutover_id, back) VALUES (%(target)s, %(id)s, %(back)s)
ON CONFLICT (target_id) DO NOTHING

-- name: reset
DELETE FROM lockgate.cutover_targets WHERE cutover_id = %(id)s AND NOT back

-- name: closes
INSERT INTO lockgate.closed_tables (relid, cutover_id, label) VALUES (%(relid)s, %(id)s, %(label)s)

-- name: closed_by
-- The tables that are closed by cutovers, of any plan, and there.
SELECT o.label FROM lockgate.closed_tables o JOIN pg_catalog.pg_class c ON c.oid = o.relid ORDER BY 1

-- name: of_target
-- By which cutover a target was handed over, and when.
SELECT c.step, c.at,
       ARRAY(SELECT b.target_id FROM lockgate.cutover_targets b WHERE b.cutover_id = c.id AND b.back ORDER BY 1) AS back
FROM lockgate.cutover_targets t
JOIN lockgate.cutovers c ON c.id = t.cutover_id AND c.state = 'over'
WHERE t.target_id = %(target)s AND NOT t.back

-- name: leads_back
SELECT EXISTS (SELECT FROM lockgate.cutover_targets WHERE target_id = %(target)s AND back)

-- name: missing
SELECT o.label, n.nspname || '.' || c.relname FROM lockgate.closed_tables o
LEFT JOIN pg_catalog.pg_class c ON c.oid = o.relid
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE o.cutover_id = %(id)s AND o.label IS DISTINCT FROM n.nspname || '.' || c.relname
  -- What an archive step has moved it moves back.
  AND NOT EXISTS (SELECT FROM lockgate.archived a WHERE a.relid = o.relid AND c.oid IS NOT NULL)
ORDER BY 1
