-- name: create
INSERT INTO lockgate.steps (plan, phase, step, kind)
VALUES (%(plan)s, %(phase)s, %(step)s, %(kind)s)
ON CONFLICT (plan, phase, step) DO NOTHING

-- name: find
SELECT id, plan, phase, step, kind, state, position, detail, started_at, ended_at
FROM lockgate.steps
WHERE plan = %(plan)s AND phase = %(phase)s AND step = %(step)s

-- name: get
SELECT id, plan, phase, step, kind, state, position, detail, started_at, ended_at
FROM lockgate.steps
WHERE id = %(id)s

-- name: of_plan
SELECT id, plan, phase, step, kind, state, position, detail, started_at, ended_at
FROM lockgate.steps
WHERE plan = %(plan)s
ORDER BY id

-- name: change_kind
UPDATE lockgate.steps
SET kind = %(kind)s, state = 'pending', position = 0, detail = '{}', started_at = NULL, ended_at = NULL
WHERE id = %(id)s
RETURNING id, plan, phase, step, kind, state, position, detail, started_at, ended_at

-- name: update
UPDATE lockgate.steps SET
    state = coalesce(%(state)s, state),
    position = coalesce(%(position)s, position),
    detail = detail || coalesce(%(detail)s::jsonb, '{}'),
    started_at = CASE
        WHEN %(state)s IS NULL THEN started_at
        WHEN %(state)s = 'pending' THEN NULL
        WHEN state = 'undone' AND %(state)s <> 'undone' THEN clock_timestamp()
        ELSE coalesce(started_at, clock_timestamp()) END,
    ended_at = CASE
        WHEN %(state)s IS NULL OR %(state)s = state THEN ended_at
        WHEN %(state)s IN ('done', 'failed', 'undone') THEN clock_timestamp() END
WHERE id = %(id)s
RETURNING id, plan, phase, step, kind, state, position, detail, started_at, ended_at
