-- The tables asked for with what is below them, and the tables above them, of whose rows theirs are a part.
WITH RECURSIVE below AS (
    SELECT a.oid FROM unnest(%(oids)s::oid[]) AS a (oid)
    UNION
    SELECT i.inhrelid FROM below JOIN pg_catalog.pg_inherits i ON i.inhparent = below.oid
), above AS (
    SELECT i.inhparent AS oid, i.inhrelid AS child
    FROM unnest(%(oids)s::oid[]) AS a (oid) JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.oid
    UNION
    SELECT i.inhparent, i.inhrelid FROM above JOIN pg_catalog.pg_inherits i ON i.inhrelid = above.oid
)
SELECT oid::bigint AS oid, NULL::bigint AS child FROM below
UNION ALL
SELECT oid::bigint, child::bigint FROM above WHERE oid NOT IN (SELECT oid FROM below)
