-- name: of_plan
SELECT plan, phase, state, started_at, ended_at
FROM lockgate.phases
WHERE plan = %(plan)s
ORDER BY started_at NULLS LAST, phase

-- name: set
INSERT INTO lockgate.phases AS old (plan, phase, state, started_at, ended_at)
VALUES (%(plan)s, %(phase)s, %(state)s,
        CASE WHEN %(state)s <> 'pending' THEN clock_timestamp() END,
        CASE WHEN %(ended)s THEN clock_timestamp() END)
ON CONFLICT (plan, phase) DO UPDATE SET
    state = excluded.state,
    -- A phase that is resumed keeps its start; one that begins anew after its undo does not.
    started_at = CASE
        WHEN excluded.state = 'pending' THEN NULL
        WHEN old.state = 'undone' THEN excluded.started_at
        ELSE coalesce(old.started_at, excluded.started_at) END,
    ended_at = CASE WHEN old.state = excluded.state THEN coalesce(old.ended_at, excluded.ended_at)
        ELSE excluded.ended_at END
RETURNING plan, phase, state, started_at, ended_at
