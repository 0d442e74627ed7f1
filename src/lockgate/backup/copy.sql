-- name: marks
-- The tokens of all marks that a copy holds; asked there.
SELECT token FROM lockgate.marks

-- name: has_marks
SELECT pg_catalog.to_regclass('lockgate.marks') IS NOT NULL

-- name: follows
SELECT pg_catalog.pg_is_in_recovery()

-- name: entry
-- Whether a chain has this very entry.
SELECT EXISTS (SELECT FROM lockgate.chain WHERE seq = %(seq)s AND hash = %(hash)s)

-- name: cluster
SELECT c.system_identifier FROM pg_catalog.pg_control_system() AS c

-- name: erasures
-- What each erasure in one stay of a table in the archive found and left, in their order.
SELECT rows_before, content_before, rows_after, content_after FROM lockgate.erased WHERE archived = %(archived)s ORDER BY id
