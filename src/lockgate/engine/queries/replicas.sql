-- Replicas: how many, of how many the role may see the state, where the primary is, the slowest one, where that
-- one is, how far it said that it was behind, and what time it is here. Positions are bytes of WAL.
SELECT count(*), count(r.state),
       pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::int8,
       (array_agg(r.application_name ORDER BY r.replay_lsn NULLS FIRST))[1],
       min(pg_wal_lsn_diff(r.replay_lsn, '0/0'))::int8,
       coalesce(max(extract(epoch FROM r.replay_lag)), 0)::float8,
       extract(epoch FROM clock_timestamp())::float8
FROM pg_stat_replication r
WHERE r.state IS DISTINCT FROM 'backup'
