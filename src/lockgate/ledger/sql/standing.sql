-- name: there
SELECT pg_catalog.to_regclass('lockgate.standing_checks') IS NOT NULL

-- name: take
-- No row while somebody else has it. The milliseconds make an epoch unlike any other, as for the lease.
INSERT INTO lockgate.standing_runs AS r (plan, epoch, holder, expires_at)
VALUES (%(plan)s, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint, %(holder)s, clock_timestamp() + %(ttl)s)
ON CONFLICT (plan) DO UPDATE
SET epoch = greatest(r.epoch + 1, excluded.epoch), holder = excluded.holder, expires_at = excluded.expires_at
WHERE r.holder IS NULL OR r.expires_at <= clock_timestamp()
RETURNING epoch

-- name: holder
SELECT holder, greatest(expires_at - clock_timestamp(), interval '0') FROM lockgate.standing_runs WHERE plan = %(plan)s

-- name: extend
UPDATE lockgate.standing_runs SET expires_at = clock_timestamp() + %(ttl)s
WHERE plan = %(plan)s AND epoch = %(epoch)s AND holder IS NOT NULL

-- name: release
UPDATE lockgate.standing_runs SET holder = NULL, expires_at = clock_timestamp()
WHERE plan = %(plan)s AND epoch = %(epoch)s

-- name: current
SELECT id, plan, name, digest, asks, query, applies, failing_since, alert_since, told
FROM lockgate.standing_checks WHERE plan = %(plan)s AND retired_at IS NULL ORDER BY id

-- name: retire
UPDATE lockgate.standing_checks SET retired_at = %(at)s WHERE id = %(id)s

-- name: define
INSERT INTO lockgate.standing_checks (plan, name, digest, asks, failing_since, alert_since, told)
VALUES (%(plan)s, %(name)s, %(digest)s, %(asks)s, %(failing_since)s, %(alert_since)s, %(told)s)

-- name: keep
INSERT INTO lockgate.standing_results (check_id, at, outcome, value, seconds, found)
VALUES (%(check)s, %(at)s, %(outcome)s, %(value)s, %(seconds)s, %(found)s)

-- name: set_query
UPDATE lockgate.standing_checks SET query = %(query)s WHERE id = %(check)s AND query <> %(query)s

-- name: set_state
UPDATE lockgate.standing_checks
SET applies = %(applies)s, failing_since = %(failing_since)s, alert_since = %(alert_since)s
WHERE id = %(check)s
  AND (applies, failing_since, alert_since) IS DISTINCT FROM (%(applies)s, %(failing_since)s, %(alert_since)s)

-- name: told
UPDATE lockgate.standing_checks c SET told = news.alert
FROM unnest(%(checks)s::bigint[], %(alerts)s::boolean[]) AS news (id, alert) WHERE c.id = news.id

-- name: judged
-- The latest outcomes, the newest first. One that could not be made says nothing either way.
SELECT outcome FROM lockgate.standing_results
WHERE check_id = %(check)s AND outcome <> 'unknown' ORDER BY id DESC LIMIT %(last)s

-- name: results
SELECT r.check_id, r.at, r.outcome, r.value, r.seconds, r.found
FROM lockgate.standing_checks c
CROSS JOIN LATERAL (
    SELECT * FROM lockgate.standing_results r WHERE r.check_id = c.id ORDER BY r.id DESC LIMIT %(last)s
) r
WHERE c.plan = %(plan)s AND c.retired_at IS NULL
ORDER BY r.check_id, r.id DESC

-- name: forget
DELETE FROM lockgate.standing_results r USING lockgate.standing_checks c
WHERE c.plan = %(plan)s AND r.check_id = c.id AND r.at < %(before)s AND (c.retired_at IS NOT NULL OR r.id < (
    SELECT n.id FROM lockgate.standing_results n WHERE n.check_id = c.id ORDER BY n.id DESC OFFSET %(newest)s - 1 LIMIT 1))

-- name: forget_retired
DELETE FROM lockgate.standing_checks c
WHERE c.plan = %(plan)s AND c.retired_at < %(before)s
  AND NOT EXISTS (SELECT FROM lockgate.standing_results r WHERE r.check_id = c.id)
