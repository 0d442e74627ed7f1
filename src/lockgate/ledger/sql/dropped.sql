-- name: there
SELECT pg_catalog.to_regclass('lockgate.dropped') IS NOT NULL

-- name: keep
INSERT INTO lockgate.dropped (plan, phase, step, relid, from_schema, name, to_schema, row_count, bytes, content,
                              measured_by, definition, dependents, backups, database_bytes, purpose, basis, erased_rows,
                              archived_at, retain_until, dropped_at)
VALUES (%(plan)s, %(phase)s, %(step)s, %(relid)s, %(from_schema)s, %(name)s, %(to_schema)s, %(row_count)s, %(bytes)s,
        %(content)s, %(measured_by)s, %(definition)s, %(dependents)s, %(backups)s, %(database_bytes)s,
        %(purpose)s, %(basis)s, %(erased_rows)s, %(archived_at)s, %(retain_until)s, %(dropped_at)s)

-- name: of_plan
SELECT plan, phase, step, relid::bigint AS relid, from_schema, name, to_schema, row_count, bytes, content, measured_by,
       definition, dependents, backups, database_bytes, purpose, basis, erased_rows, archived_at, retain_until, dropped_at
FROM lockgate.dropped WHERE plan = %(plan)s ORDER BY id

-- name: labels
SELECT from_schema || '.' || name FROM lockgate.dropped ORDER BY id
