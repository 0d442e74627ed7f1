INSERT INTO core.properties (id, owner_entity_id, address_id, iptu_number, property_type_code, built_area, created_at)
SELECT
    pg_temp.property(n, g.seed),
    CASE WHEN d.a % 5 < 2 THEN pg_temp.entity(1 + d.a / 5 % g.entities, g.seed) END,
    CASE WHEN d.b % 20 > 0 THEN pg_temp.address(1 + d.b / 20 % g.addresses, g.seed) END,
    lpad(n::text, 11, '0'),
    (ARRAY['AP', 'CS', 'TR', 'LJ'])[1 + d.a / 3 % 4],
    (2000 + d.b % 40000) / 100.0,
    pg_temp.moment(d.a)
FROM gen g
CROSS JOIN LATERAL generate_series(1, g.properties) AS n
CROSS JOIN LATERAL (SELECT pg_temp.draw(n, g.seed, 80) AS a, pg_temp.draw(n, g.seed, 81) AS b OFFSET 0) AS d
