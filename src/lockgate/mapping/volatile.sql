-- The functions among those called, and the text forms of types that are cast through, that are not immutable;
-- with the operators that are written for them.
SELECT p.oid::regprocedure::text AS function, p.provolatile::text AS volatility, p.proname AS name,
       ARRAY(SELECT o.oprname::text FROM pg_catalog.pg_operator o WHERE o.oprcode = p.oid) AS operators
FROM pg_catalog.pg_proc p
WHERE p.provolatile <> 'i'
  AND (p.oid = ANY (%(functions)s::oid[])
       OR p.oid IN (SELECT t.typoutput FROM pg_catalog.pg_type t WHERE t.oid = ANY (%(sources)s::oid[]))
       OR p.oid IN (SELECT t.typinput FROM pg_catalog.pg_type t WHERE t.oid = ANY (%(targets)s::oid[])))
ORDER BY 1
