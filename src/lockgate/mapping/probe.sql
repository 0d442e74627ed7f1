-- What the server understood of the probing view: its tree, its outputs, and what it reads.
SELECT r.ev_action::text AS tree,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = r.ev_class AND a.attnum > 0 ORDER BY a.attnum) AS outputs,
       ARRAY(SELECT pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = r.ev_class AND a.attnum > 0 ORDER BY a.attnum) AS types,
       coalesce((SELECT pg_catalog.jsonb_agg(DISTINCT pg_catalog.jsonb_build_array(d.refobjid::bigint, d.refobjsubid))
                 FROM pg_catalog.pg_depend d
                 WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
                   AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> r.ev_class), '[]') AS reads
FROM pg_catalog.pg_rewrite r
WHERE r.ev_class = 'pg_temp.lockgate_probe'::regclass
