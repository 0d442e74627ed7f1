SELECT c.oid::bigint AS oid, c.relname AS name, named.identity AS identity
FROM pg_catalog.pg_class c
CROSS JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_class'::regclass, c.oid, 0) AS named
WHERE c.oid = ANY (%(oids)s::oid[]) AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
