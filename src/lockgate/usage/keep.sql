INSERT INTO lockgate.usage_samples (plan, node, relid, schema_name, table_name, seq_scan, idx_scan, n_tup_ins,
                                    n_tup_upd, n_tup_del, last_seq_scan, last_idx_scan, stats_reset, started_at,
                                    sampled_at, read_at, own, own_counted, gaps, settled)
VALUES (%(plan)s, %(node)s, %(relid)s, %(schema_name)s, %(table_name)s, %(seq_scan)s, %(idx_scan)s, %(n_tup_ins)s,
        %(n_tup_upd)s, %(n_tup_del)s, %(last_seq_scan)s, %(last_idx_scan)s, %(stats_reset)s, %(started_at)s,
        %(sampled_at)s, %(read_at)s, %(own)s, %(own_counted)s, %(gaps)s,
        %(settled)s)
