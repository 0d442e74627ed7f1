-- Persons by CPF and companies by CNPJ, both with right check digits, evenly mixed. CPFs of 900.000.000-xx
-- and above are left to the service, so that what it creates can be told apart.
INSERT INTO core.entities (entity_id, national_id, entity_type, name, metadata, is_enriched, enriched_at, created_at, updated_at)
SELECT
    pg_temp.entity(n, g.seed),
    CASE WHEN k.company THEN lpad(r.root::text, 8, '0') || '0001' || c1.cnpj::text || c2.cnpj::text
         ELSE lpad(r.base::text, 9, '0') || c1.cpf::text || c2.cpf::text END,
    CASE WHEN d.a % 20 = 0 THEN NULL
         WHEN d.a % 20 < 4 THEN CASE WHEN k.company THEN 'PJ' ELSE 'PF' END
         ELSE CASE WHEN k.company THEN 'company' ELSE 'person' END END,
    CASE WHEN k.company THEN g.family[1 + d.b % 32] || ' & ' || g.family[1 + d.b / 32 % 32] || ' Ltda'
         ELSE g.given[1 + d.b % 32] || ' ' || g.family[1 + d.b / 32 % 32] || ' ' || g.family[1 + d.b / 1024 % 32] END,
    CASE WHEN d.a / 20 % 10 = 0 AND NOT k.enriched THEN NULL
         ELSE jsonb_build_object('source', CASE d.a / 200 % 3 WHEN 0 THEN 'import' WHEN 1 THEN 'c2s' ELSE 'site' END)
           || CASE WHEN k.enriched THEN jsonb_build_object('c2s_lead_id', 'L' || n) ELSE '{}' END
           || CASE WHEN k.company THEN jsonb_build_object('trade_name', g.family[1 + d.b % 32] || ' ' || n)
                   ELSE jsonb_build_object('gender', CASE d.a / 600 % 2 WHEN 0 THEN 'F' ELSE 'M' END,
                                           'birth_year', (1940 + d.a / 1200 % 65)::text) END END,
    k.enriched,
    CASE WHEN k.enriched THEN pg_temp.moment(d.b) END,
    pg_temp.moment(d.a),
    pg_temp.moment(d.a)
FROM gen g
CROSS JOIN LATERAL generate_series(1, g.entities) AS n
CROSS JOIN LATERAL (
    SELECT n * g.companies / g.entities > (n - 1) * g.companies / g.entities AS company,
           (n - 1) / g.profile_stride < g.profiled_entities
           AND pg_temp.profiled((n - 1) / g.profile_stride, g.profile_stride, g.seed) = n AS enriched OFFSET 0) AS k
CROSS JOIN LATERAL (SELECT pg_temp.draw(n, g.seed, 1) AS a, pg_temp.draw(n, g.seed, 2) AS b OFFSET 0) AS d
CROSS JOIN LATERAL (
    SELECT (n * 524287 + g.seed * 7919) % 900000000 AS base, (n * 7368787 + g.seed * 31) % 100000000 AS root OFFSET 0) AS r
CROSS JOIN LATERAL (
    SELECT r.base / 100000000 AS p1, r.base / 10000000 % 10 AS p2, r.base / 1000000 % 10 AS p3, r.base / 100000 % 10 AS p4,
           r.base / 10000 % 10 AS p5, r.base / 1000 % 10 AS p6, r.base / 100 % 10 AS p7, r.base / 10 % 10 AS p8,
           r.base % 10 AS p9,
           r.root / 10000000 AS j1, r.root / 1000000 % 10 AS j2, r.root / 100000 % 10 AS j3, r.root / 10000 % 10 AS j4,
           r.root / 1000 % 10 AS j5, r.root / 100 % 10 AS j6, r.root / 10 % 10 AS j7, r.root % 10 AS j8 OFFSET 0) AS x
CROSS JOIN LATERAL (
    SELECT (10 * p1 + 9 * p2 + 8 * p3 + 7 * p4 + 6 * p5 + 5 * p6 + 4 * p7 + 3 * p8 + 2 * p9) * 10 % 11 % 10 AS cpf,
           (5 * j1 + 4 * j2 + 3 * j3 + 2 * j4 + 9 * j5 + 8 * j6 + 7 * j7 + 6 * j8 + 2) * 10 % 11 % 10 AS cnpj OFFSET 0) AS c1
CROSS JOIN LATERAL (
    SELECT (11 * p1 + 10 * p2 + 9 * p3 + 8 * p4 + 7 * p5 + 6 * p6 + 5 * p7 + 4 * p8 + 3 * p9 + 2 * c1.cpf) * 10 % 11 % 10 AS cpf,
           (6 * j1 + 5 * j2 + 4 * j3 + 3 * j4 + 2 * j5 + 9 * j6 + 8 * j7 + 7 * j8 + 3 + 2 * c1.cnpj) * 10 % 11 % 10 AS cnpj
    OFFSET 0) AS c2
