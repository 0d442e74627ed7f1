-- name: lines
-- A table as statements, in this order; what only its rows tell, and grants, is not in them.
WITH it AS (
    SELECT c.oid, c.relpersistence, c.reloptions, c.relrowsecurity, c.relforcerowsecurity, c.relowner, c.relreplident,
           named.identity AS name
    FROM pg_catalog.pg_class c
    CROSS JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_class'::regclass, c.oid, 0) AS named
    WHERE c.oid = %(oid)s
), columns AS (
    SELECT a.attnum, a.attname, pg_catalog.format('%%I %%s%%s%%s%%s', a.attname,
        pg_catalog.format_type(a.atttypid, a.atttypmod),
        CASE WHEN a.attcollation <> t.typcollation THEN
            (SELECT pg_catalog.format(' COLLATE %%I.%%I', n.nspname, l.collname)
             FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
             WHERE l.oid = a.attcollation) END,
        CASE WHEN a.attidentity <> '' THEN ' GENERATED ' || CASE a.attidentity WHEN 'a' THEN 'ALWAYS'
                 ELSE 'BY DEFAULT' END || ' AS IDENTITY'
             WHEN a.attgenerated <> '' THEN ' GENERATED ALWAYS AS (' || pg_catalog.pg_get_expr(d.adbin, d.adrelid) || ')'
                 || CASE a.attgenerated WHEN 's' THEN ' STORED' ELSE ' VIRTUAL' END
             WHEN d.adbin IS NOT NULL THEN ' DEFAULT ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
        CASE WHEN a.attnotnull THEN ' NOT NULL' END) AS line
    FROM it
    JOIN pg_catalog.pg_attribute a ON a.attrelid = it.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
), owned AS (
    SELECT s.seqrelid, named.identity AS name, pg_catalog.format(
               'AS %%s INCREMENT %%s MINVALUE %%s MAXVALUE %%s START %%s CACHE %%s%%s', pg_catalog.format_type(s.seqtypid, NULL),
               s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' END) AS rest,
           (SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = it.oid AND a.attnum = d.refobjsubid) AS owner
    FROM it
    JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = it.oid
        AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'a'
    JOIN pg_catalog.pg_sequence s ON s.seqrelid = d.objid
    CROSS JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_class'::regclass, s.seqrelid, 0) AS named
), lines (part, number, name, line) AS (
    SELECT 1, 0, name, pg_catalog.format('CREATE SEQUENCE %%s %%s', name, rest) FROM owned
    UNION ALL
    SELECT 2, 0, '', pg_catalog.format(E'CREATE%%s TABLE %%s (\n%%s\n)%%s',
               CASE it.relpersistence WHEN 'u' THEN ' UNLOGGED' END, it.name,
               (SELECT pg_catalog.string_agg('    ' || line, E',\n' ORDER BY attnum) FROM columns),
               ' WITH (' || pg_catalog.array_to_string(it.reloptions, ', ') || ')') FROM it
    UNION ALL
    SELECT 3, 0, owned.name, pg_catalog.format('ALTER SEQUENCE %%s OWNED BY %%s.%%I', owned.name, it.name, owned.owner)
    FROM it, owned
    UNION ALL
    -- Keys before those that may refer to them.
    SELECT 4, pg_catalog.array_position(ARRAY['p', 'u', 'x', 'c', 'f'], c.contype::text), c.conname,
           pg_catalog.format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', it.name, c.conname, pg_catalog.pg_get_constraintdef(c.oid))
    FROM it JOIN pg_catalog.pg_constraint c ON c.conrelid = it.oid AND c.contype IN ('p', 'u', 'x', 'c', 'f')
    UNION ALL
    SELECT 5, 0, x.relname, pg_catalog.pg_get_indexdef(i.indexrelid)
    FROM it JOIN pg_catalog.pg_index i ON i.indrelid = it.oid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x'))
    UNION ALL
    SELECT 6, 0, s.stxname, pg_catalog.pg_get_statisticsobjdef(s.oid)
    FROM it JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = it.oid
    UNION ALL
    SELECT 7, 0, '', pg_catalog.format('ALTER TABLE %%s ENABLE ROW LEVEL SECURITY', it.name) FROM it WHERE it.relrowsecurity
    UNION ALL
    SELECT 7, 1, '', pg_catalog.format('ALTER TABLE %%s FORCE ROW LEVEL SECURITY', it.name) FROM it WHERE it.relforcerowsecurity
    UNION ALL
    SELECT 8, 0, '', pg_catalog.format('ALTER TABLE %%s OWNER TO %%I', it.name, pg_catalog.pg_get_userbyid(it.relowner)) FROM it
    UNION ALL
    SELECT 9, d.objsubid, '', CASE d.objsubid
        WHEN 0 THEN pg_catalog.format('COMMENT ON TABLE %%s IS %%L', it.name, d.description)
        ELSE pg_catalog.format('COMMENT ON COLUMN %%s.%%I IS %%L', it.name, columns.attname, d.description) END
    FROM it JOIN pg_catalog.pg_description d ON d.classoid = 'pg_catalog.pg_class'::regclass AND d.objoid = it.oid
    LEFT JOIN columns ON columns.attnum = d.objsubid
)
SELECT pg_catalog.string_agg(line || ';', E'\n' ORDER BY part, number, name) FROM lines
