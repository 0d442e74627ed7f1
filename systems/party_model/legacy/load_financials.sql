-- A fixed number of rows at every scale, each for an entity that has one, two or four profiles.
INSERT INTO core.entity_financials (entity_id, monthly_income, annual_revenue, net_worth, credit_score, created_at, updated_at)
SELECT
    pg_temp.entity(pg_temp.profiled((n - 1) * s.stride + n % least(s.stride, 6), g.profile_stride, g.seed), g.seed),
    (150000 + d.a % 4850000) / 100.0,
    CASE WHEN d.a / 7 % 3 = 0 THEN (d.a % 900000000) / 100.0 END,
    CASE WHEN d.a / 21 % 5 > 0 THEN (d.a % 70000000) / 100.0 END,
    300 + d.a / 11 % 700,
    pg_temp.moment(d.a),
    pg_temp.moment(d.a)
FROM gen g
CROSS JOIN LATERAL generate_series(1, g.financials) AS n
CROSS JOIN LATERAL (SELECT g.profiled_entities / g.financials AS stride OFFSET 0) AS s
CROSS JOIN LATERAL (SELECT pg_temp.draw(n, g.seed, 60) AS a OFFSET 0) AS d
