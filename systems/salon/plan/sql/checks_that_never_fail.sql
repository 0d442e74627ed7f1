SELECT coalesce(string_agg(format('%s of %s', conname, conrelid::regclass), ', ' ORDER BY conname), 'none') AS never_fail
FROM pg_catalog.pg_constraint
WHERE contype = 'c' AND connamespace = 'public'::regnamespace
  AND pg_catalog.pg_get_constraintdef(oid) ~ '(ARRAY\[|, )NULL'
