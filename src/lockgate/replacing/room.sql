-- name: sizes
-- Bytes of a table: the rows themselves, its indexes, and what is stored outside of the rows.
SELECT pg_catalog.pg_table_size(c.oid) - t.bytes AS rows, pg_catalog.pg_indexes_size(c.oid) AS indexes, t.bytes AS toast,
       pg_catalog.pg_total_relation_size(c.oid) AS total
FROM pg_catalog.pg_class c
CROSS JOIN LATERAL (SELECT CASE WHEN c.reltoastrelid = 0 THEN 0
                                ELSE pg_catalog.pg_total_relation_size(c.reltoastrelid) END) AS t (bytes)
WHERE c.oid = %(oid)s

-- name: columns
-- What a value of each column takes at most within its row: longer ones are stored outside.
SELECT a.attname AS name, a.attlen < 0 AND a.attstorage IN ('x', 'e') AS goes_out
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum

-- name: blocks
SELECT pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint AS blocks,
       pg_catalog.current_setting('block_size')::bigint AS block,
       coalesce((SELECT o.option_value::int FROM pg_catalog.pg_options_to_table(c.reloptions) AS o
                 WHERE o.option_name = 'fillfactor'), 100) AS fill
FROM pg_catalog.pg_class c WHERE c.oid = %(oid)s

-- name: indexes
SELECT x.indexrelid::bigint AS oid, pg_catalog.pg_relation_size(x.indexrelid) AS bytes,
       m.amname = 'btree' AND x.indpred IS NULL AND x.indexprs IS NULL AS is_plain,
       coalesce((SELECT o.option_value::int FROM pg_catalog.pg_options_to_table(i.reloptions) AS o
                 WHERE o.option_name = 'fillfactor'), 90) AS fill,
       ARRAY(SELECT a.attname::text FROM unnest(x.indkey) WITH ORDINALITY AS k (number, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.number ORDER BY k.place) AS columns
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_am m ON m.oid = i.relam
WHERE x.indrelid = %(oid)s AND x.indisvalid AND i.relname NOT LIKE 'lockgate\_%%' ORDER BY i.relname
