INSERT INTO core.entity_relationships (source_entity_id, target_entity_id, relationship_type, created_at)
SELECT
    pg_temp.entity(1 + d.a % g.entities, g.seed),
    pg_temp.entity(1 + d.b % g.entities, g.seed),
    (ARRAY['partner', 'director', 'representative', 'employee'])[1 + d.a / 3 % 4],
    pg_temp.moment(d.b)
FROM gen g
CROSS JOIN LATERAL generate_series(1, g.relationships) AS n
CROSS JOIN LATERAL (SELECT pg_temp.draw(n, g.seed, 70) AS a, pg_temp.draw(n, g.seed, 71) AS b OFFSET 0) AS d
