-- name: safe_to_drop
SELECT a.from_schema AS was_in, a.name AS table_name, a.archived_at, a.retain_until,
       greatest(a.retain_until - pg_catalog.clock_timestamp(), interval '0') AS time_left,
       a.retain_until <= pg_catalog.clock_timestamp() AND held.since IS NULL AS safe_to_drop,
       a.why, a.replacement, a.plan, a.phase, NULL::timestamptz AS dropped_at,
       held.since AS held_since, held.by AS held_by, held.because AS held_because
FROM lockgate.archived a
CROSS JOIN LATERAL (
    SELECT min(h.held_at) AS since, pg_catalog.string_agg(h.held_by, '; ' ORDER BY h.id) AS by,
           pg_catalog.string_agg(h.because, '; ' ORDER BY h.id) AS because
    FROM lockgate.holds h WHERE h.archived = a.id AND h.released_at IS NULL) AS held
WHERE a.to_schema = {schema}
UNION ALL
SELECT d.from_schema, d.name, d.archived_at, d.retain_until, interval '0', NULL, NULL, NULL, d.plan, d.phase, d.dropped_at,
       NULL, NULL, NULL
FROM lockgate.dropped d WHERE d.to_schema = {schema}

-- name: size_report
SELECT a.from_schema AS was_in, a.name AS table_name, a.row_count AS rows, a.bytes AS bytes_when_archived,
       (SELECT pg_catalog.pg_total_relation_size(c.oid)
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = a.relid AND n.nspname = a.to_schema AND c.relname = a.name) AS bytes_now,
       NULL::bigint AS bytes_when_dropped, NULL::timestamptz AS dropped_at, a.purpose, a.basis,
       (SELECT coalesce(pg_catalog.sum(e.rows), 0)::bigint FROM lockgate.erased e WHERE e.archived = a.id) AS erased_rows
FROM lockgate.archived a WHERE a.to_schema = {schema}
UNION ALL
SELECT d.from_schema, d.name, d.row_count, NULL, NULL, d.bytes, d.dropped_at, d.purpose, d.basis, d.erased_rows
FROM lockgate.dropped d WHERE d.to_schema = {schema}

-- name: left
SELECT count(*) FROM (
    SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = %(schema)s::pg_catalog.regnamespace
    UNION ALL SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = %(schema)s::pg_catalog.regnamespace
    UNION ALL SELECT FROM pg_catalog.pg_type t WHERE t.typnamespace = %(schema)s::pg_catalog.regnamespace) AS things

-- name: ours
SELECT count(*) FROM pg_catalog.pg_namespace n
WHERE n.nspname = %(schema)s AND pg_catalog.obj_description(n.oid, 'pg_namespace') = %(comment)s

-- name: schema
SELECT count(*) FROM pg_catalog.pg_namespace n WHERE n.nspname = %(schema)s

-- name: view
-- What is there under the name of a view: its comment, for ours have one.
SELECT coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), '')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(view)s
