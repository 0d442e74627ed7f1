-- Triggers on the application's tables that call functions of schema lockgate.
SELECT n.nspname, c.relname, t.tgname
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_proc p ON p.oid = t.tgfoid
WHERE p.pronamespace = to_regnamespace('lockgate')
  AND n.nspname <> 'lockgate' AND NOT t.tgisinternal AND t.tgparentid = 0
ORDER BY 1, 2, 3
