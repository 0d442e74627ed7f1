-- name: lock_head
-- The second CTE hangs on the first, so that the clock is read after the wait for the lock.
WITH head AS MATERIALIZED (
    SELECT seq, hash FROM lockgate.chain_head FOR UPDATE
), clock AS MATERIALIZED (
    SELECT seq, hash, clock_timestamp() AS at FROM head
)
SELECT seq + 1 AS seq, encode(hash, 'hex') AS prev, at,
       to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at_text
FROM clock

-- name: append
WITH entry AS (
    INSERT INTO lockgate.chain (seq, at, run_id, kind, plan, phase, step, payload, prev, hash)
    VALUES (%(seq)s, %(at)s, %(run_id)s, %(kind)s, %(plan)s, %(phase)s, %(step)s, %(payload)s::jsonb,
            %(prev)s, %(hash)s)
    RETURNING seq, hash
)
UPDATE lockgate.chain_head AS head SET seq = entry.seq, hash = entry.hash FROM entry

-- name: entries
SELECT seq, at, run_id, kind, plan, phase, step, payload::text AS payload,
       encode(prev, 'hex') AS prev, encode(hash, 'hex') AS hash
FROM lockgate.chain
WHERE plan = %(plan)s
  AND (%(kinds)s::text[] IS NULL OR kind = ANY (%(kinds)s::text[]))
  AND (%(phase)s::text IS NULL OR phase = %(phase)s::text)
ORDER BY seq

-- name: head
SELECT seq || ':' || encode(hash, 'hex') FROM lockgate.chain_head

-- name: everything
-- Heads and rows in one statement, hence of one snapshot; the heads come first.
SELECT true AS is_head, seq, NULL AS at_text, NULL AS run_id, NULL AS kind, NULL AS plan, NULL AS phase,
       NULL AS step, NULL AS payload, NULL AS prev, encode(hash, 'hex') AS hash
FROM lockgate.chain_head
UNION ALL
SELECT false, seq,
       to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
           || CASE WHEN at < timestamptz '0001-01-01 00:00:00+00' THEN ' BC' ELSE '' END,
       run_id, kind, plan, phase, step, payload::text, encode(prev, 'hex'), encode(hash, 'hex')
FROM lockgate.chain
ORDER BY is_head DESC, seq
