-- The functions that triggers of these tables call.
SELECT DISTINCT fn.identity AS name, tn.identity AS trigger
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace AND n.nspname <> 'lockgate'
LEFT JOIN pg_catalog.pg_trigger above ON above.oid = t.tgparentid AND above.tgrelid = ANY (%(oids)s::oid[])
CROSS JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_proc'::regclass, p.oid, 0) AS fn
CROSS JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_trigger'::regclass, t.oid, 0) AS tn
WHERE t.tgrelid = ANY (%(oids)s::oid[]) AND NOT t.tgisinternal AND above.oid IS NULL
ORDER BY 1, 2
