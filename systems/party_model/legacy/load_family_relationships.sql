INSERT INTO core.entity_family_relationships (entity_id, relative_entity_id, kinship, created_at)
SELECT
    pg_temp.entity(1 + d.a % g.entities, g.seed),
    pg_temp.entity(1 + d.b % g.entities, g.seed),
    (ARRAY['spouse', 'parent', 'child', 'sibling'])[1 + d.a / 3 % 4],
    pg_temp.moment(d.b)
FROM gen g
CROSS JOIN LATERAL generate_series(1, g.family_relationships) AS n
CROSS JOIN LATERAL (SELECT pg_temp.draw(n, g.seed, 72) AS a, pg_temp.draw(n, g.seed, 73) AS b OFFSET 0) AS d
