-- name: start
INSERT INTO lockgate.runs (plan, digest, command, host, pid, version)
VALUES (%(plan)s, %(digest)s, %(command)s, %(host)s, %(pid)s, %(version)s)
RETURNING id

-- name: finish
UPDATE lockgate.runs SET ended_at = clock_timestamp(), outcome = %(outcome)s
WHERE id = %(id)s AND ended_at IS NULL
RETURNING id

-- name: of_plan
SELECT id, plan, digest, command, host, pid, version, started_at, ended_at, outcome
FROM lockgate.runs
WHERE plan = %(plan)s
ORDER BY id

-- name: under_way
-- One runner at a time holds the lease: if it lives, the run that began last is its own.
SELECT EXISTS (SELECT FROM lockgate.lease WHERE holder IS NOT NULL AND expires_at > clock_timestamp())
   AND (SELECT plan = %(plan)s AND ended_at IS NULL FROM lockgate.runs ORDER BY id DESC LIMIT 1)
