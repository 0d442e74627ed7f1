-- After the hardening: states are two capitals, zip codes eight digits or null, hashes partly populated.
INSERT INTO core.addresses (id, street, number, neighborhood, city, state, zip_code, street_type_code, address_hash, created_at)
SELECT
    pg_temp.address(n, g.seed),
    g.streets[1 + d.a % 12],
    CASE WHEN d.a / 12 % 25 = 0 THEN 's/n' ELSE (1 + d.a / 300 % 3000)::text END,
    CASE WHEN d.a / 7 % 30 = 0 THEN NULL ELSE g.neighborhoods[1 + d.b % 12] END,
    g.cities[1 + d.b / 12 % 8],
    g.states[1 + d.b / 12 % 8],
    CASE WHEN d.b / 96 % 12 = 0 THEN NULL ELSE lpad((1000000 + d.b / 1152 % 98000000)::text, 8, '0') END,
    CASE WHEN d.a / 9 % 2 = 0 THEN (ARRAY['R', 'AV', 'AL', 'TV'])[1 + d.a % 4] END,
    CASE WHEN d.b / 31 % 5 < 3 THEN md5('address ' || n) END,
    pg_temp.moment(d.a)
FROM gen g
CROSS JOIN LATERAL generate_series(1, g.addresses) AS n
CROSS JOIN LATERAL (SELECT pg_temp.draw(n, g.seed, 30) AS a, pg_temp.draw(n, g.seed, 31) AS b OFFSET 0) AS d
