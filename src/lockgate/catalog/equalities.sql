-- The default equality of types, where it is not one of pg_catalog: the pinned search_path does not find that of an
-- extension.
SELECT opc.opcintype::bigint AS type_oid,
       'OPERATOR(' || pg_catalog.quote_ident(opn.nspname) || '.' || op.oprname || ')' AS equals
FROM pg_catalog.pg_opclass opc
JOIN pg_catalog.pg_am am ON am.oid = opc.opcmethod AND am.amname = 'btree'
JOIN pg_catalog.pg_amop ao ON ao.amopfamily = opc.opcfamily AND ao.amopstrategy = 3
     AND ao.amoplefttype = opc.opcintype AND ao.amoprighttype = opc.opcintype
JOIN pg_catalog.pg_operator op ON op.oid = ao.amopopr
JOIN pg_catalog.pg_namespace opn ON opn.oid = op.oprnamespace
WHERE opc.opcdefault AND opc.opcintype = ANY (%(types)s) AND opn.nspname <> 'pg_catalog'
