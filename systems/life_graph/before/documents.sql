INSERT INTO documents (id, owner_id, title, content, created_at)
SELECT pg_temp.id('document', n), pg_temp.id('user', 1 + pg_temp.number('owner', n) %% %(users)s),
       (ARRAY['Invoice', 'Contract', 'Letter', 'Certificate', 'Réceipt'])[1 + n %% 5] || ' ' || n,
       format('Document %%s of seed %%s. ', n, %(seed)s::bigint) || repeat('Lorem ipsum dolor sit amet. ', 1 + n %% 8),
       pg_temp.moment('document', n)
FROM generate_series(1, %(documents)s) AS n
