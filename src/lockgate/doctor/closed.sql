-- Tables that a cutover has closed and that are there, with whether the trigger that refuses writes is there for everybody.
SELECT o.label, pg_catalog.format('%I.%I', n.nspname, c.relname) AS relation,
       EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid AND g.tgenabled = 'A'
               AND g.tgname = pg_catalog.format('lockgate_closed_%s', o.cutover_id)) AS guarded
FROM lockgate.closed_tables o
JOIN pg_catalog.pg_class c ON c.oid = o.relid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY o.label
