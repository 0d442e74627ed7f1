-- Publications of whole schemas, from PostgreSQL 15 on.
SELECT DISTINCT pg_catalog.quote_ident(p.pubname) AS name,
       'publishes all tables of schema ' || pg_catalog.quote_ident(n.nspname) AS how
FROM pg_catalog.pg_publication p
JOIN pg_catalog.pg_publication_namespace pn ON pn.pnpubid = p.oid
JOIN pg_catalog.pg_namespace n ON n.oid = pn.pnnspid
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
WHERE c.oid = ANY (%(oids)s::oid[]) AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
ORDER BY 1
