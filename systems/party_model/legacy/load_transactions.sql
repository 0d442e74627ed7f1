-- Nobody ever filled the two entity ids.
INSERT INTO core.property_transactions (property_id, price, registered_on, created_at)
SELECT
    pg_temp.property(1 + d.a % g.properties, g.seed),
    (5000000 + d.b % 300000000) / 100.0,
    date '2019-01-01' + (d.a / 7 % 2000)::integer,
    pg_temp.moment(d.b)
FROM gen g
CROSS JOIN LATERAL generate_series(1, g.transactions) AS n
CROSS JOIN LATERAL (SELECT pg_temp.draw(n, g.seed, 84) AS a, pg_temp.draw(n, g.seed, 85) AS b OFFSET 0) AS d
