-- The kinds that are no part of a relation, and those of all objects; see document.sql.

-- name: enum
SELECT s.called || '.' || quote_ident(t.typname) AS name, pg_get_userbyid(t.typowner) AS owner,
       (SELECT array_agg(quote_literal(e.enumlabel) ORDER BY e.enumsortorder)
        FROM pg_enum e WHERE e.enumtypid = t.oid) AS labels
FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace
WHERE t.typtype = 'e' AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)

-- name: domain
SELECT s.called || '.' || quote_ident(t.typname) AS name, pg_get_userbyid(t.typowner) AS owner,
       format_type(t.typbasetype, t.typtypmod) AS type,
       CASE WHEN t.typnotnull THEN 'refused' ELSE 'allowed' END AS "null", t.typdefault AS "default",
       CASE WHEN t.typcollation <> b.typcollation THEN t.typcollation::regcollation::text END AS collation
FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace JOIN pg_type b ON b.oid = t.typbasetype
WHERE t.typtype = 'd' AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)

-- name: type
-- Composite types, whose columns are objects of their own, ranges, and base types.
SELECT s.called || '.' || quote_ident(t.typname) AS name, pg_get_userbyid(t.typowner) AS owner,
       CASE t.typtype WHEN 'c' THEN 'composite' WHEN 'r' THEN 'range' ELSE 'base' END AS sort,
       (SELECT array_agg(quote_ident(attname) ORDER BY attnum) FROM pg_attribute a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) AS "order of its columns",
       format_type(g.rngsubtype, NULL) AS subtype,
       CASE WHEN g.rngcollation <> 0 THEN g.rngcollation::regcollation::text END AS collation,
       (SELECT o.opcnamespace::regnamespace || '.' || quote_ident(o.opcname) FROM pg_opclass o WHERE o.oid = g.rngsubopc)
           AS "operator class",
       nullif(g.rngcanonical::text, '-') AS canonical, nullif(g.rngsubdiff::text, '-') AS difference,
       g.rngmultitypid::regtype::text AS multirange,
       CASE WHEN t.typtype = 'b' THEN t.typlen::text END AS length,
       CASE WHEN t.typtype = 'b' THEN t.typinput::text END AS input,
       CASE WHEN t.typtype = 'b' THEN t.typoutput::text END AS output
FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace
LEFT JOIN pg_range g ON g.rngtypid = t.oid
WHERE (t.typtype = 'r' OR t.typtype = 'b' AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
       OR t.typtype = 'c' AND EXISTS (SELECT FROM relations r WHERE r.oid = t.typrelid AND r.relkind = 'c'))
  AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)

-- name: function
SELECT p.oid::regprocedure::text AS name, pg_get_userbyid(p.proowner) AS owner,
       CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'w' THEN 'window function' ELSE 'function' END AS sort,
       pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS returns, l.lanname AS language,
       coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) AS source, p.probin AS library,
       CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END AS volatility,
       CASE WHEN p.prosecdef THEN 'definer' ELSE 'invoker' END AS security,
       CASE WHEN p.proleakproof THEN 'yes' END AS leakproof,
       CASE WHEN p.proisstrict THEN 'yes' END AS "NULL on NULL input",
       CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END AS parallel,
       p.procost::text AS cost, nullif(p.prorows, 0)::text AS rows, nullif(p.prosupport::text, '-') AS support,
       (SELECT array_agg(o ORDER BY o COLLATE "C") FROM unnest(p.proconfig) o) AS settings
FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE p.prokind <> 'a' AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)

-- name: aggregate
SELECT p.oid::regprocedure::text AS name, pg_get_userbyid(p.proowner) AS owner, pg_get_function_result(p.oid) AS returns,
       a.aggtransfn::text AS "transition function", a.aggtranstype::regtype::text AS "transition type",
       nullif(a.aggfinalfn::text, '-') AS "final function", nullif(a.aggcombinefn::text, '-') AS "combine function",
       nullif(a.aggmtransfn::text, '-') AS "moving transition function", a.agginitval AS "initial value",
       CASE WHEN a.aggsortop <> 0 THEN a.aggsortop::regoperator::text END AS "sort operator",
       CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END AS parallel
FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace JOIN pg_aggregate a ON a.aggfnoid = p.oid
WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)

-- name: operator
SELECT o.oid::regoperator::text AS name, pg_get_userbyid(o.oprowner) AS owner, o.oprcode::text AS function,
       CASE WHEN o.oprcom <> 0 THEN o.oprcom::regoperator::text END AS commutator,
       CASE WHEN o.oprnegate <> 0 THEN o.oprnegate::regoperator::text END AS negator,
       nullif(o.oprrest::text, '-') AS "restriction estimator", nullif(o.oprjoin::text, '-') AS "join estimator",
       CASE WHEN o.oprcanhash THEN 'yes' END AS hashes, CASE WHEN o.oprcanmerge THEN 'yes' END AS merges
FROM pg_operator o JOIN schemas s ON s.oid = o.oprnamespace
WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_operator'::regclass AND m.objid = o.oid)

-- name: operator_class
SELECT s.called || '.' || quote_ident(o.opcname) || ' using ' || m.amname AS name, pg_get_userbyid(o.opcowner) AS owner,
       o.opcintype::regtype::text AS type, CASE WHEN o.opcdefault THEN 'yes' END AS "default",
       nullif(o.opckeytype, 0)::regtype::text AS storage,
       (SELECT array_agg(amopstrategy || ' ' || amopopr::regoperator ORDER BY amopstrategy, amopopr::regoperator::text)
        FROM pg_amop a WHERE a.amopfamily = o.opcfamily AND o.opcintype IN (amoplefttype, amoprighttype)) AS operators,
       (SELECT array_agg(amprocnum || ' ' || amproc::regprocedure ORDER BY amprocnum, amproc::regprocedure::text)
        FROM pg_amproc a WHERE a.amprocfamily = o.opcfamily AND o.opcintype IN (amproclefttype, amprocrighttype)) AS functions
FROM pg_opclass o JOIN schemas s ON s.oid = o.opcnamespace JOIN pg_am m ON m.oid = o.opcmethod
WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_opclass'::regclass AND m.objid = o.oid)

-- name: cast
-- Those that initdb makes have lower numbers.
SELECT format('%%s as %%s', castsource::regtype, casttarget::regtype) AS name, nullif(castfunc, 0)::regprocedure::text AS function,
       CASE castcontext WHEN 'e' THEN 'explicit' WHEN 'a' THEN 'in assignments' ELSE 'implicit' END AS sort,
       CASE castmethod WHEN 'i' THEN 'by text' WHEN 'b' THEN 'as it is' ELSE 'by function' END AS way
FROM pg_cast c
WHERE c.oid >= 16384 AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_cast'::regclass AND m.objid = c.oid)

-- name: collation
SELECT s.called || '.' || quote_ident(c.collname) AS name, pg_get_userbyid(c.collowner) AS owner,
       CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'c' THEN 'libc' WHEN 'b' THEN 'builtin' ELSE 'default' END AS provider,
       coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale', c.collcollate) AS locale,
       to_jsonb(c) ->> 'collicurules' AS rules, CASE WHEN c.collisdeterministic THEN 'yes' ELSE 'no' END AS deterministic
FROM pg_collation c JOIN schemas s ON s.oid = c.collnamespace
WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_collation'::regclass AND m.objid = c.oid)

-- name: text_search_configuration
SELECT s.called || '.' || quote_ident(c.cfgname) AS name, pg_get_userbyid(c.cfgowner) AS owner,
       (SELECT prsname FROM pg_ts_parser p WHERE p.oid = c.cfgparser)::text AS parser,
       (SELECT array_agg(maptokentype || ': ' || mapdict::regdictionary ORDER BY maptokentype, mapseqno)
        FROM pg_ts_config_map m WHERE m.mapcfg = c.oid) AS dictionaries
FROM pg_ts_config c JOIN schemas s ON s.oid = c.cfgnamespace
WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_ts_config'::regclass AND m.objid = c.oid)

-- name: text_search_dictionary
SELECT s.called || '.' || quote_ident(d.dictname) AS name, pg_get_userbyid(d.dictowner) AS owner,
       (SELECT tmplname FROM pg_ts_template t WHERE t.oid = d.dicttemplate)::text AS template, d.dictinitoption AS options
FROM pg_ts_dict d JOIN schemas s ON s.oid = d.dictnamespace
WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_ts_dict'::regclass AND m.objid = d.oid)

-- name: foreign_server
SELECT quote_ident(s.srvname) AS name, pg_get_userbyid(s.srvowner) AS owner, w.fdwname::text AS wrapper,
       s.srvtype AS type, s.srvversion AS version,
       (SELECT array_agg(o ORDER BY o COLLATE "C") FROM unnest(s.srvoptions) o) AS options
FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_foreign_server'::regclass AND m.objid = s.oid)

-- name: event_trigger
SELECT quote_ident(e.evtname) AS name, pg_get_userbyid(e.evtowner) AS owner, e.evtevent::text AS event,
       e.evttags AS tags, e.evtfoid::regprocedure::text AS function,
       CASE e.evtenabled WHEN 'O' THEN 'yes' WHEN 'A' THEN 'always' WHEN 'R' THEN 'for replicas only' ELSE 'no' END AS enabled
FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid
WHERE p.pronamespace <> coalesce(to_regnamespace('lockgate')::oid, 0)
  AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_event_trigger'::regclass AND m.objid = e.oid)

-- name: publication
SELECT quote_ident(pubname) AS name, pg_get_userbyid(pubowner) AS owner,
       CASE WHEN puballtables THEN 'all' ELSE 'chosen' END AS tables,
       array_remove(ARRAY[CASE WHEN pubinsert THEN 'insert' END, CASE WHEN pubupdate THEN 'update' END,
                          CASE WHEN pubdelete THEN 'delete' END, CASE WHEN pubtruncate THEN 'truncate' END], NULL) AS publishes,
       CASE WHEN pubviaroot THEN 'yes' END AS "as the partitioned table",
       nullif(to_jsonb(p) ->> 'pubgencols', 'n') AS "generated columns"
FROM pg_publication p

-- name: published_table
SELECT quote_ident(p.pubname) || ' ' || r.called AS name, r.called AS "table",
       (SELECT array_agg(quote_ident(a.attname) ORDER BY a.attnum) FROM pg_attribute a
        WHERE a.attrelid = r.oid AND a.attnum = ANY (t.prattrs)) AS columns,
       pg_get_expr(t.prqual, t.prrelid) AS "where"
FROM pg_publication_rel t JOIN pg_publication p ON p.oid = t.prpubid JOIN relations r ON r.oid = t.prrelid

-- name: published_table_before_15
SELECT quote_ident(p.pubname) || ' ' || r.called AS name, r.called AS "table"
FROM pg_publication_rel t JOIN pg_publication p ON p.oid = t.prpubid JOIN relations r ON r.oid = t.prrelid

-- name: published_schema
SELECT quote_ident(p.pubname) || ' ' || s.called AS name
FROM pg_publication_namespace t JOIN pg_publication p ON p.oid = t.pnpubid JOIN schemas s ON s.oid = t.pnnspid

-- name: grant
-- What differs from what the owner and PUBLIC have anyway. ALL is told by that name: newer servers have more privileges.
, owned AS (
    SELECT 'schema ' || called AS name, NULL AS "table", nspacl AS acl, acldefault('n', nspowner) AS usual,
           acldefault('n', nspowner) AS whole, nspowner AS owner FROM schemas
    UNION ALL
    SELECT called, coalesce((SELECT min(d.refobjid::regclass::text) FROM pg_depend d
                             WHERE r.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = r.oid
                               AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')), called),
           relacl, k.usual, k.usual, relowner
    FROM relations r CROSS JOIN LATERAL acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner) AS k (usual)
    WHERE relacl IS NOT NULL AND relkind <> 'c'
    UNION ALL
    SELECT r.called || '.' || quote_ident(a.attname), r.called, a.attacl, NULL, NULL, r.relowner
    FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
    UNION ALL
    SELECT p.oid::regprocedure::text, NULL, proacl, acldefault('f', proowner), acldefault('f', proowner), proowner
    FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace
    WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
    UNION ALL
    SELECT 'type ' || s.called || '.' || quote_ident(typname), NULL, typacl, acldefault('T', typowner),
           acldefault('T', typowner), typowner
    FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace
    WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)
    UNION ALL
    SELECT 'server ' || quote_ident(srvname), NULL, srvacl, acldefault('S', srvowner), acldefault('S', srvowner), srvowner
    FROM pg_foreign_server
    UNION ALL
    SELECT concat('new ', CASE defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
                                             WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE 'large objects' END,
                  ' of ', quote_ident(pg_get_userbyid(defaclrole)), ' in schema ' || s.called),
           NULL, defaclacl, CASE WHEN defaclnamespace = 0 THEN k.usual END, k.usual, defaclrole
    FROM pg_default_acl d LEFT JOIN schemas s ON s.oid = d.defaclnamespace
    CROSS JOIN LATERAL acldefault(CASE defaclobjtype WHEN 'S' THEN 's' ELSE defaclobjtype END::"char", defaclrole) AS k (usual)
), given AS (
    SELECT o.name, o."table", o.owner, x.grantee,
           array_agg(x.privilege_type ORDER BY x.privilege_type) AS has,
           array_agg(x.privilege_type ORDER BY x.privilege_type) FILTER (WHERE x.is_grantable) AS may_grant,
           array_agg(DISTINCT pg_get_userbyid(x.grantor)::text) FILTER (WHERE x.grantor <> o.owner) AS by
    FROM owned o CROSS JOIN LATERAL aclexplode(o.acl) x
    GROUP BY o.name, o."table", o.owner, x.grantee
), usual AS (
    SELECT o.name, o."table", x.grantee, array_agg(x.privilege_type ORDER BY x.privilege_type) AS has
    FROM owned o CROSS JOIN LATERAL aclexplode(o.usual) x
    WHERE o.acl IS NOT NULL GROUP BY o.name, o."table", x.grantee
), whole AS (
    SELECT o.name, array_agg(x.privilege_type ORDER BY x.privilege_type) AS has
    FROM owned o CROSS JOIN LATERAL aclexplode(o.whole) x WHERE x.grantee = o.owner GROUP BY o.name
)
SELECT name || ' to ' || CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS name,
       coalesce(g."table", u."table") AS "table",
       CASE WHEN g.has IS NULL THEN ARRAY['none'] WHEN g.has = w.has THEN ARRAY['ALL'] ELSE g.has END AS privileges,
       CASE WHEN g.may_grant = w.has THEN ARRAY['ALL'] ELSE g.may_grant END AS "with grant option", g.by AS "granted by"
FROM given g FULL JOIN usual u USING (name, grantee) LEFT JOIN whole w USING (name)
WHERE g.has IS DISTINCT FROM u.has OR g.may_grant IS NOT NULL

-- name: comment
-- Of all that is not the server's own or an extension's.
SELECT i.type || ' ' || i.identity AS name, r.called AS "table", d.description AS text
FROM pg_description d
CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i
CROSS JOIN LATERAL (SELECT CASE d.classoid
    WHEN 'pg_class'::regclass THEN coalesce(
        (SELECT indrelid FROM pg_index x WHERE x.indexrelid = d.objoid),
        (SELECT min(x.refobjid) FROM pg_depend x JOIN pg_class q ON q.oid = x.objid AND q.relkind = 'S'
         WHERE x.classid = d.classoid AND x.objid = d.objoid AND x.refclassid = d.classoid AND x.deptype IN ('a', 'i')),
        d.objoid)
    WHEN 'pg_constraint'::regclass THEN (SELECT nullif(conrelid, 0) FROM pg_constraint x WHERE x.oid = d.objoid)
    WHEN 'pg_trigger'::regclass THEN (SELECT tgrelid FROM pg_trigger x WHERE x.oid = d.objoid)
    WHEN 'pg_rewrite'::regclass THEN (SELECT ev_class FROM pg_rewrite x WHERE x.oid = d.objoid)
    WHEN 'pg_policy'::regclass THEN (SELECT polrelid FROM pg_policy x WHERE x.oid = d.objoid)
    WHEN 'pg_statistic_ext'::regclass THEN (SELECT stxrelid FROM pg_statistic_ext x WHERE x.oid = d.objoid)
    END) AS home (oid)
LEFT JOIN relations r ON r.oid = home.oid
WHERE (d.objoid >= 16384 OR d.classoid = 'pg_namespace'::regclass) AND d.classoid <> 'pg_extension'::regclass
  AND CASE WHEN home.oid IS NOT NULL THEN r.oid IS NOT NULL
           WHEN i.schema IS NOT NULL THEN EXISTS (SELECT FROM schemas s WHERE s.called = i.schema)
           WHEN d.classoid = 'pg_namespace'::regclass THEN EXISTS (SELECT FROM schemas s WHERE s.oid = d.objoid)
           ELSE true END
  AND NOT EXISTS (SELECT FROM members m WHERE m.classid = d.classoid AND m.objid = d.objoid)
