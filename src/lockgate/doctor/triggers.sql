-- Of every change log that is on, and that somebody may need: triggers that are missing or do not fire for everybody, on the table and its partitions.
WITH RECURSIVE tree AS (
    SELECT l.id AS log_id, l.label, l.relid AS oid FROM lockgate.logs l
    WHERE l.off_at IS NULL AND NOT coalesce((
        SELECT bool_and(t.state IN ('cut_over', 'closed', 'waiting')) FROM lockgate.log_readers r
        JOIN lockgate.sync_targets t ON t.id = r.target_id WHERE r.log_id = l.id), false)
    UNION ALL
    SELECT t.log_id, t.label, i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
), wanted AS (
    SELECT t.log_id, t.label, t.oid, pg_catalog.format('lockgate_log_%s_%s', t.log_id, p.piece) AS trigger
    FROM tree t CROSS JOIN (VALUES ('insert'), ('update'), ('delete'), ('truncate')) p (piece)
)
SELECT w.log_id, w.label, c.oid::regclass::text AS relation, min(w.trigger) AS trigger, bool_and(g.oid IS NOT NULL) AS present
FROM wanted w
LEFT JOIN pg_catalog.pg_class c ON c.oid = w.oid
LEFT JOIN pg_catalog.pg_trigger g ON g.tgrelid = w.oid AND g.tgname = w.trigger
WHERE g.oid IS NULL OR g.tgenabled <> 'A'
GROUP BY w.log_id, w.label, c.oid
ORDER BY w.log_id, c.oid
