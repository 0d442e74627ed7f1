SELECT c.conname AS name, c.conrelid::bigint AS child, c.confrelid::bigint AS parent,
       pg_catalog.format('%%I.%%I', n.nspname, p.relname) AS parent_sql, n.nspname || '.' || p.relname AS parent_label,
       c.condeferrable AS deferrable,
       (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(
            pg_catalog.quote_ident(pa.attname), pg_catalog.format('OPERATOR(%%I.%%s)', opn.nspname, o.oprname),
            pg_catalog.quote_ident(a.attname)) ORDER BY k.place)
        FROM unnest(c.confkey, c.conpfeqop, c.conkey) WITH ORDINALITY AS k (pk, op, fk, place)
        JOIN pg_catalog.pg_attribute pa ON pa.attrelid = c.confrelid AND pa.attnum = k.pk
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.fk
        JOIN pg_catalog.pg_operator o ON o.oid = k.op
        JOIN pg_catalog.pg_namespace opn ON opn.oid = o.oprnamespace) AS pairs
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class p ON p.oid = c.confrelid
JOIN pg_catalog.pg_namespace n ON n.oid = p.relnamespace
WHERE c.contype = 'f' AND c.conrelid = ANY (%(oids)s)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint o WHERE o.oid = c.conparentid AND o.conrelid = c.conrelid)
ORDER BY c.conname
