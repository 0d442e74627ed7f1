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
SELECT id, plan, made_at, snapshot_at, host, folder, chosen, manifest_sha256, tables, proven_at, restore_seconds
FROM lockgate.backups
ORDER BY snapshot_at DESC, id DESC
