-- A fixed number of rows at every scale. The first ones are the primary addresses, one an entity; where
-- there are fewer addresses than rows, an address comes round again for another entity.
INSERT INTO core.entity_addresses (entity_id, address_id, address_type, is_primary, verified, confidence_score, created_at)
SELECT
    pg_temp.entity(1 + (b.base + 13 * b.round) % g.entities, g.seed),
    pg_temp.address(1 + b.turn, g.seed),
    (ARRAY['residential', 'commercial', 'billing'])[1 + d.a % 3],
    n <= g.primary_addresses,
    d.a / 3 % 4 = 0,
    CASE WHEN n <= 3 THEN 0.8 END,
    pg_temp.moment(d.a)
FROM gen g
CROSS JOIN LATERAL generate_series(1, g.entity_addresses) AS n
CROSS JOIN LATERAL (
    SELECT (n - 1) % g.addresses AS turn, (n - 1) / g.addresses AS round,
           CASE WHEN (n - 1) % g.addresses < g.primary_addresses
                THEN (n - 1) % g.addresses * (g.entities / g.primary_addresses)
                ELSE pg_temp.draw((n - 1) % g.addresses, g.seed, 40) % g.entities END AS base OFFSET 0) AS b
CROSS JOIN LATERAL (SELECT pg_temp.draw(n, g.seed, 41) AS a OFFSET 0) AS d
ORDER BY d.a
