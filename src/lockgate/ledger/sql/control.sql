-- name: get
SELECT plan, paused, reason, workers, chunk_rows, updated_at, updated_by
FROM lockgate.control
WHERE plan = %(plan)s

-- name: set
-- A key that is in the changes with null is set to null; one that is not in them stays.
INSERT INTO lockgate.control AS old (plan, paused, reason, workers, chunk_rows, updated_by)
SELECT %(plan)s, coalesce(new.paused, false), new.reason, new.workers, new.chunk_rows,
       coalesce(new.updated_by, current_user)
FROM jsonb_to_record(%(changes)s::jsonb)
     AS new (paused boolean, reason text, workers integer, chunk_rows integer, updated_by text)
ON CONFLICT (plan) DO UPDATE SET
    paused = CASE WHEN %(changes)s::jsonb ? 'paused' THEN excluded.paused ELSE old.paused END,
    reason = CASE WHEN %(changes)s::jsonb ? 'reason' THEN excluded.reason ELSE old.reason END,
    workers = CASE WHEN %(changes)s::jsonb ? 'workers' THEN excluded.workers ELSE old.workers END,
    chunk_rows = CASE WHEN %(changes)s::jsonb ? 'chunk_rows' THEN excluded.chunk_rows ELSE old.chunk_rows END,
    updated_at = clock_timestamp(),
    updated_by = excluded.updated_by
RETURNING plan, paused, reason, workers, chunk_rows, updated_at, updated_by
