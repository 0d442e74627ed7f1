-- name: insert
INSERT INTO lockgate.chunks (step_id, leaf, lo, hi)
SELECT %(step_id)s, leaf, lo, hi
FROM unnest(%(leaves)s::oid[], %(los)s::bigint[], %(his)s::bigint[]) WITH ORDINALITY AS r (leaf, lo, hi, n)
ORDER BY n

-- name: claim
SELECT id, step_id, leaf, lo, hi, attempts
FROM lockgate.chunks
WHERE step_id = %(step_id)s AND state = 'pending' AND id > %(after)s
ORDER BY id
LIMIT 1
FOR UPDATE SKIP LOCKED

-- name: claim_first
SELECT id, step_id, leaf, lo, hi, attempts
FROM lockgate.chunks
WHERE step_id = %(step_id)s AND state = 'pending'
ORDER BY leaf, lo
LIMIT 1
FOR UPDATE SKIP LOCKED

-- name: finish
UPDATE lockgate.chunks
SET state = 'done', rows_read = %(rows_read)s, rows_written = %(rows_written)s, worker = %(worker)s,
    attempts = attempts + 1, done_at = clock_timestamp(), seconds = %(seconds)s
WHERE id = %(id)s AND state = 'pending'

-- name: failed
UPDATE lockgate.chunks SET attempts = attempts + 1
WHERE id = %(id)s AND state = 'pending'
RETURNING attempts

-- name: lock
SELECT lo, hi FROM lockgate.chunks WHERE id = %(id)s AND state = 'pending' FOR UPDATE

-- name: split
WITH first AS (
    UPDATE lockgate.chunks SET hi = %(middle)s
    WHERE id = %(id)s
    RETURNING step_id, leaf, attempts
)
INSERT INTO lockgate.chunks (step_id, leaf, lo, hi, attempts)
SELECT step_id, leaf, %(middle)s, %(hi)s, attempts FROM first

-- name: any
SELECT EXISTS (SELECT FROM lockgate.chunks WHERE step_id = %(step_id)s AND state = 'pending')

-- name: progress
SELECT count(*) AS total,
       count(*) FILTER (WHERE state = 'done') AS done,
       coalesce(sum(rows_read), 0)::bigint AS rows_read,
       coalesce(sum(rows_written), 0)::bigint AS rows_written,
       coalesce(sum(hi - lo), 0)::bigint AS blocks_total,
       coalesce(sum(hi - lo) FILTER (WHERE state = 'done'), 0)::bigint AS blocks_done
FROM lockgate.chunks
WHERE step_id = %(step_id)s

-- name: digest
SELECT encode(sha256(convert_to(coalesce(string_agg(
           concat_ws(' ', leaf, lo, hi, state, rows_read, rows_written), E'\n' ORDER BY leaf, lo, hi), ''), 'UTF8')),
           'hex')
FROM lockgate.chunks
WHERE step_id = %(step_id)s

-- name: clear
DELETE FROM lockgate.chunks WHERE step_id = %(step_id)s
