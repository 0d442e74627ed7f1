-- name: there
SELECT to_regclass('lockgate.backups') IS NOT NULL

-- name: keep
INSERT INTO lockgate.backups (plan, snapshot_at, host, folder, chosen, manifest_sha256, tables)
VALUES (%(plan)s, %(snapshot_at)s, %(host)s, %(folder)s, %(chosen)s, %(manifest_sha256)s, %(tables)s)
RETURNING id

-- name: proven
UPDATE lockgate.backups SET proven_at = clock_timestamp(), restore_seconds = %(seconds)s WHERE id = %(id)s
RETURNING id

-- name: known
SELECT id, plan, kind, made_at, snapshot_at, host, folder, chosen, manifest_sha256, tables, proven_at, restore_seconds
FROM lockgate.backups WHERE removed_at IS NULL
ORDER BY snapshot_at DESC, id DESC

-- name: keep_copy
INSERT INTO lockgate.backups (plan, kind, snapshot_at, host, folder, chosen, manifest_sha256, tables, proven_at)
VALUES (%(plan)s, 'copy', %(snapshot_at)s, %(host)s, %(folder)s, %(chosen)s, %(manifest_sha256)s, %(tables)s,
        clock_timestamp())
RETURNING id

-- name: mark
INSERT INTO lockgate.marks (token, plan, at, chosen, schema, tables)
VALUES (%(token)s, %(plan)s, %(at)s, %(chosen)s, %(schema)s, %(tables)s)
RETURNING id

-- name: marks
SELECT id, token, plan, at, chosen, schema, tables FROM lockgate.marks WHERE plan = %(plan)s ORDER BY id DESC

-- name: removed
UPDATE lockgate.backups SET removed_at = clock_timestamp() WHERE id = %(id)s AND removed_at IS NULL
RETURNING id

-- name: given_up
SELECT folder, manifest_sha256 FROM lockgate.backups WHERE kind = 'files' AND removed_at IS NOT NULL AND host = %(host)s

-- name: relied_on
-- Backups that something must be able to go back to, and what: gates that opened a phase which has not ended well, or
-- which has dropped tables, and what a drop says of itself.
SELECT gate.id, CASE WHEN p.state <> 'done' THEN 'phase ' || c.phase || ' of plan ' || c.plan || ' began by it and is not done'
                     ELSE 'phase ' || c.phase || ' of plan ' || c.plan || ', which has dropped tables, began by it' END AS why
FROM lockgate.chain c
CROSS JOIN LATERAL (SELECT substring(c.payload ->> 'name' FROM '^backup_gate:(\d+)$')::bigint AS id) AS gate
JOIN lockgate.phases p ON p.plan = c.plan AND p.phase = c.phase
WHERE c.kind = 'evidence' AND gate.id IS NOT NULL AND c.payload -> 'result' -> 'passed' = 'true'
  AND (p.state IN ('running', 'checking', 'failed', 'undoing')
       OR p.state = 'done' AND EXISTS (SELECT FROM lockgate.steps s WHERE s.plan = c.plan AND s.phase = c.phase
                                       AND s.kind = 'drop'))
UNION
SELECT (held.backup ->> 'id')::bigint, 'it holds the rows of ' || substring(c.payload ->> 'name' FROM '^dropped:(.*)$')
                                      || ', which was dropped for good'
FROM lockgate.chain c
CROSS JOIN LATERAL jsonb_array_elements(
    CASE jsonb_typeof(c.payload -> 'result' -> 'backups') WHEN 'array' THEN c.payload -> 'result' -> 'backups' ELSE '[]' END
) AS held (backup)
WHERE c.kind = 'evidence' AND c.payload ->> 'name' LIKE 'dropped:%' AND held.backup ->> 'id' IS NOT NULL
ORDER BY id, why
