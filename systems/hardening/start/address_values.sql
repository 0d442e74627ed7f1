-- States and zip codes as people and imports wrote them: most can be brought into form, some cannot.
UPDATE core.addresses a
SET state = CASE
    WHEN k.unusable THEN (ARRAY['--', 'n/d', 'Brasil', '35'])[1 + k.n % 4]
    ELSE CASE k.n % 5
        WHEN 0 THEN lower(a.state)
        WHEN 1 THEN ' ' || a.state || '  '
        WHEN 2 THEN left(a.state, 1) || '.' || right(a.state, 1) || '.'
        WHEN 3 THEN s.name
        ELSE upper(s.name) END END
FROM (
    SELECT n, n <= p.states_unusable AS unusable,
           pg_temp.address(1 + (n - 1) * (g.addresses / (p.states_to_normalise + p.states_unusable)), g.seed) AS id
    FROM gen g CROSS JOIN planted p
    CROSS JOIN LATERAL generate_series(1, p.states_to_normalise + p.states_unusable) AS n
) AS k, (
    VALUES ('SP', 'São Paulo'), ('RJ', 'Rio de Janeiro'), ('MG', 'Minas Gerais'), ('PR', 'Paraná'), ('RS', 'Rio Grande do Sul'),
           ('BA', 'Bahia'), ('PE', 'Pernambuco'), ('CE', 'Ceará')
) AS s (code, name)
WHERE a.id = k.id AND s.code = a.state;

UPDATE core.addresses a
SET zip_code = CASE
    WHEN k.unusable THEN CASE k.n % 4 WHEN 0 THEN left(z.code, 7) WHEN 1 THEN 'sem CEP' WHEN 2 THEN z.code || '0' ELSE '' END
    ELSE CASE k.n % 4
        WHEN 0 THEN left(z.code, 5) || '-' || right(z.code, 3)
        WHEN 1 THEN left(z.code, 2) || '.' || substr(z.code, 3, 3) || '-' || right(z.code, 3)
        WHEN 2 THEN ' ' || z.code
        ELSE left(z.code, 5) || ' ' || right(z.code, 3) END END
FROM (
    SELECT n, n <= p.zip_codes_unusable AS unusable,
           pg_temp.address(1 + n * (g.addresses / (p.zip_codes_to_normalise + p.zip_codes_unusable + 1)), g.seed) AS id
    FROM gen g CROSS JOIN planted p
    CROSS JOIN LATERAL generate_series(1, p.zip_codes_to_normalise + p.zip_codes_unusable) AS n
) AS k
CROSS JOIN LATERAL (SELECT lpad((1000000 + pg_temp.draw(k.n, 1, 95) % 98000000)::text, 8, '0') AS code OFFSET 0) AS z
WHERE a.id = k.id
