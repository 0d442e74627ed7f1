-- Publications that do not name the tables: those of all tables.
SELECT pg_catalog.quote_ident(p.pubname) AS name, 'publishes all tables' AS how
FROM pg_catalog.pg_publication p WHERE p.puballtables
AND EXISTS (SELECT FROM pg_catalog.pg_class c
            WHERE c.oid = ANY (%(oids)s::oid[]) AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p')
ORDER BY 1
