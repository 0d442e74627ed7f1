INSERT INTO core.entity_profiles (entity_id, provider, payload, created_at, updated_at)
SELECT
    pg_temp.entity(pg_temp.profiled(o.ordinal, g.profile_stride, g.seed), g.seed),
    g.providers[1 + o.provider],
    jsonb_build_object(
        'request', md5('request ' || n), 'score', d.a % 1000, 'status', CASE d.a / 1000 % 20 WHEN 0 THEN 'partial' ELSE 'complete' END,
        'occupation', CASE d.a / 20000 % 4 WHEN 0 THEN NULL WHEN 1 THEN 'autônomo' WHEN 2 THEN 'servidor público' ELSE 'CLT' END,
        'vehicles', d.a / 80000 % 3, 'household', jsonb_build_object('members', 1 + d.a / 240000 % 6, 'own_home', d.a / 7 % 2 = 0),
        'tags', jsonb_build_array('t' || d.b % 40, 't' || d.b / 40 % 40),
        'summary', repeat(md5('summary ' || n), 1 + (d.b % 8)::int)),
    pg_temp.moment(d.a),
    pg_temp.moment(d.a) + make_interval(secs => d.b % 10000000)
FROM gen g
CROSS JOIN LATERAL generate_series(1, g.profiles) AS n
CROSS JOIN LATERAL pg_temp.profile(n, g.profiles, g.profiled_entities, g.seed) AS o
CROSS JOIN LATERAL (SELECT pg_temp.draw(n, g.seed, 51) AS a, pg_temp.draw(n, g.seed, 52) AS b OFFSET 0) AS d
