SELECT conrelid::regclass AS of_table, conname AS never_fails, pg_catalog.pg_get_constraintdef(oid) AS definition
FROM pg_catalog.pg_constraint
WHERE contype = 'c' AND connamespace = 'public'::regnamespace
  AND pg_catalog.pg_get_constraintdef(oid) ~ '(ARRAY\[|, )NULL'
