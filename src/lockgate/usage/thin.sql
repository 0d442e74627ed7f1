-- name: begun
SELECT NOT EXISTS (
    SELECT FROM lockgate.usage_samples
    WHERE plan = %(plan)s AND sampled_at >= pg_catalog.date_trunc('hour', %(at)s::timestamptz))

-- name: idle
-- Of samples that are older than a day one an hour is enough, where nothing happened: what is taken out was, like the
-- samples before and after it, taken when all of Lockgate's own work was counted, and others had done nothing between
-- the three. So no hit, no restart and no end of a window is lost, nor the times between which they lie.
DELETE FROM lockgate.usage_samples d
USING (
    SELECT f.id, f.sampled_at,
           f.facts = lag(f.facts) OVER ordered AND f.facts = lead(f.facts) OVER ordered
           AND f.settled AND lag(f.settled) OVER ordered AND lead(f.settled) OVER ordered AS idle,
           row_number() OVER (PARTITION BY f.node, f.schema_name, f.table_name,
                              pg_catalog.date_trunc('hour', f.sampled_at) ORDER BY f.sampled_at, f.id) AS nth
    FROM (
        SELECT s.id, s.node, s.schema_name, s.table_name, s.sampled_at, s.settled,
               ROW(s.relid, s.started_at, s.stats_reset,
                   s.seq_scan - coalesce((s.own_counted ->> 'seq_scan')::bigint, 0),
                   s.idx_scan - coalesce((s.own_counted ->> 'idx_scan')::bigint, 0),
                   s.n_tup_ins - coalesce((s.own_counted ->> 'n_tup_ins')::bigint, 0),
                   s.n_tup_upd - coalesce((s.own_counted ->> 'n_tup_upd')::bigint, 0),
                   s.n_tup_del - coalesce((s.own_counted ->> 'n_tup_del')::bigint, 0)) AS facts
        FROM lockgate.usage_samples s
        WHERE s.plan = %(plan)s
    ) f
    WINDOW ordered AS (PARTITION BY f.node, f.schema_name, f.table_name ORDER BY f.sampled_at, f.id)
) judged
WHERE d.id = judged.id AND judged.idle AND judged.nth > 1
AND judged.sampled_at < %(now)s::timestamptz - interval '1 day'
