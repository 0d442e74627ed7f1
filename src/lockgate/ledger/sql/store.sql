-- name: current_user
SELECT current_user

-- name: schema
SELECT n.oid,
       pg_catalog.pg_get_userbyid(n.nspowner) AS owner,
       pg_catalog.pg_has_role(n.nspowner, 'USAGE') AS ours,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE')
           AND coalesce(pg_catalog.has_table_privilege(meta.oid, 'SELECT'), true) AS readable,
       meta.oid IS NOT NULL AS has_meta,
       EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid)
           OR EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = n.oid) AS has_objects
FROM pg_catalog.pg_namespace n
LEFT JOIN pg_catalog.pg_class meta ON meta.relnamespace = n.oid AND meta.relname = 'meta'
WHERE n.nspname = 'lockgate'

-- name: may_create
SELECT current_database(), current_user, pg_catalog.has_database_privilege(current_database(), 'CREATE')

-- name: lock
-- One installer at a time in this database; ends with the transaction.
SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('lockgate.ledger', 0))

-- name: applied
SELECT number, name, sha256 FROM lockgate.meta ORDER BY number

-- name: record
INSERT INTO lockgate.meta (number, name, sha256, applied_by)
VALUES (%(number)s, %(name)s, %(sha256)s, %(version)s)

-- name: relations
SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relnamespace = %(schema)s

-- name: schema_grantees
-- 0 is PUBLIC.
SELECT DISTINCT CASE a.grantee WHEN 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantee) END
FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
WHERE n.oid = %(schema)s AND a.grantee <> n.nspowner

-- name: relation_grantees
SELECT DISTINCT c.relkind = 'S', c.relname,
       CASE a.grantee WHEN 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantee) END
FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a
WHERE c.relnamespace = %(schema)s AND c.oid <> ALL (%(old)s::oid[]) AND a.grantee <> c.relowner

-- name: sizes
SELECT c.relname, pg_catalog.pg_total_relation_size(c.oid)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'lockgate' AND c.relkind IN ('r', 'm')
ORDER BY 1

-- name: guards
-- Those of the triggers that ought to be there and are not, or do not fire always.
SELECT guard.relation, guard.trigger, t.oid IS NOT NULL
FROM (VALUES ('chain', 'chain_append_only'), ('chain_head', 'chain_head_stays'), ('chain_head', 'chain_head_forward'),
             ('dropped', 'dropped_append_only'))
     AS guard (relation, trigger)
JOIN pg_catalog.pg_namespace n ON n.nspname = 'lockgate'
LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = guard.relation
LEFT JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid AND t.tgname = guard.trigger
WHERE t.tgenabled IS DISTINCT FROM 'A' AND (c.oid IS NOT NULL OR guard.relation <> 'dropped')
ORDER BY 1, 2
