-- name: state
SELECT holder, host, pid, epoch, acquired_at, heartbeat_at, expires_at,
       now - acquired_at AS age, now - heartbeat_at AS silent, expires_at - now AS remaining
FROM lockgate.lease, LATERAL (SELECT clock_timestamp() AS now) AS clock

-- name: lock_free
-- SKIP LOCKED: a transaction that asserted the lease is still open; it must end before anybody takes over.
SELECT epoch FROM lockgate.lease
WHERE holder IS NULL OR expires_at <= clock_timestamp()
FOR UPDATE SKIP LOCKED

-- name: take
-- The milliseconds make an epoch unlike any that was handed out before a fail-over that lost the last one,
-- a restored backup, or a ledger that was removed and installed again.
UPDATE lockgate.lease
SET epoch = greatest(epoch + 1, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint),
    holder = %(holder)s, host = %(host)s, pid = %(pid)s,
    acquired_at = clock_timestamp(), heartbeat_at = clock_timestamp(),
    expires_at = clock_timestamp() + %(ttl)s
RETURNING epoch, acquired_at

-- name: heartbeat
UPDATE lockgate.lease
SET heartbeat_at = clock_timestamp(), expires_at = clock_timestamp() + %(ttl)s
WHERE epoch = %(epoch)s AND holder IS NOT NULL

-- name: release
UPDATE lockgate.lease
SET holder = NULL, host = NULL, pid = NULL, expires_at = clock_timestamp()
WHERE epoch = %(epoch)s AND holder IS NOT NULL

-- name: assert_held
SELECT epoch FROM lockgate.lease
WHERE epoch = %(epoch)s AND holder IS NOT NULL
FOR KEY SHARE
