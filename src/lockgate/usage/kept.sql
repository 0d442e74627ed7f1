-- The samples of a table since a time, and those before it back to one of which it is known how much of what had been
-- counted was Lockgate's own: from it the first difference is taken.
SELECT node, relid::bigint AS relid, schema_name, table_name, seq_scan, idx_scan, n_tup_ins, n_tup_upd, n_tup_del,
       last_seq_scan, last_idx_scan, stats_reset, started_at, sampled_at, read_at, own, own_counted, gaps
FROM lockgate.usage_samples
WHERE plan = %(plan)s AND node = %(node)s AND schema_name = %(schema)s AND table_name = %(name)s
AND sampled_at >= coalesce(
    (SELECT coalesce(max(b.sampled_at) FILTER (WHERE b.settled), max(b.sampled_at)) FROM lockgate.usage_samples b
     WHERE b.plan = %(plan)s AND b.node = %(node)s AND b.schema_name = %(schema)s AND b.table_name = %(name)s
     AND b.sampled_at <= %(since)s), '-infinity')
ORDER BY sampled_at, id
