-- name: begin
INSERT INTO lockgate.migrations (history, version, tool, name, direction, state, script, plan, phase, step, started_at)
VALUES (%(history)s, %(version)s, %(tool)s, %(name)s, %(direction)s, 'running', %(script)s, %(plan)s, %(phase)s, %(step)s,
        pg_catalog.clock_timestamp())
ON CONFLICT (history, version) DO UPDATE
SET tool = EXCLUDED.tool, name = EXCLUDED.name, direction = EXCLUDED.direction, state = 'running',
    script = EXCLUDED.script, digests = '{}', runner_pid = NULL, runner_since = NULL,
    plan = EXCLUDED.plan, phase = EXCLUDED.phase, step = EXCLUDED.step,
    started_at = EXCLUDED.started_at, ended_at = NULL

-- name: find
SELECT history, version, tool, name, direction, state, script, digests, runner_pid, runner_since, plan, phase, step,
       started_at, ended_at
FROM lockgate.migrations WHERE history = %(history)s AND version = %(version)s FOR NO KEY UPDATE

-- name: of_step
SELECT history, version, tool, name, direction, state, script, digests, runner_pid, runner_since, plan, phase, step,
       started_at, ended_at
FROM lockgate.migrations
WHERE history = %(history)s AND plan = %(plan)s AND phase = %(phase)s AND step = %(step)s

-- name: of_history
SELECT history, version, tool, name, direction, state, script, digests, runner_pid, runner_since, plan, phase, step,
       started_at, ended_at
FROM lockgate.migrations WHERE history = %(history)s

-- name: advance
UPDATE lockgate.migrations
SET digests = digests || %(digest)s::text, runner_pid = NULL, runner_since = NULL
WHERE history = %(history)s AND version = %(version)s

-- name: runner
UPDATE lockgate.migrations SET runner_pid = %(pid)s, runner_since = %(since)s
WHERE history = %(history)s AND version = %(version)s

-- name: end
UPDATE lockgate.migrations
SET state = 'done', ended_at = pg_catalog.clock_timestamp(), runner_pid = NULL, runner_since = NULL
WHERE history = %(history)s AND version = %(version)s
