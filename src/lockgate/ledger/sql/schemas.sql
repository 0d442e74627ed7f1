-- name: keep
INSERT INTO lockgate.schemas (digest, description) VALUES (%(digest)s, %(description)s) ON CONFLICT (digest) DO NOTHING

-- name: find
SELECT description FROM lockgate.schemas WHERE digest = %(digest)s
