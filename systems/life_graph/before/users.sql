INSERT INTO users (id, email, created_at)
SELECT pg_temp.id('user', n), format('user%%s@example.org', n), pg_temp.moment('user', n)
FROM generate_series(1, %(users)s) AS n
