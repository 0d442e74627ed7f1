-- Scratch databases whose maker has no session any more.
SELECT d.datname FROM pg_catalog.pg_database d
WHERE d.datname ~ '^lockgate_scratch_[0-9a-f]{12}$' AND pg_catalog.pg_has_role(d.datdba, 'USAGE')
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_stat_activity a WHERE a.application_name = 'lockgate:scratch:' || d.datname
  )
