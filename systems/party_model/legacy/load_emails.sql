-- Every (emails / planted)-th row is a planted one: either the same address as an earlier row of the same
-- entity in another case or with spaces around it, or nothing that could be an address. All other rows have
-- an address that no other row has, because it holds the row's number.
INSERT INTO core.entity_emails (id, entity_id, email, is_primary, created_at)
SELECT
    n,
    pg_temp.entity(pg_temp.holder(d.a, g.entities), g.seed),
    CASE WHEN k.reject BETWEEN 1 AND g.emails_empty THEN CASE k.reject % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE '   ' END
         WHEN k.reject > g.emails_empty THEN (ARRAY['sem email', 'nao informado', 'nao tem'])[1 + k.reject % 3]
         ELSE CASE (d.b / 8192 + k.merged::int) % 5
              WHEN 0 THEN upper(e.address) WHEN 1 THEN '  ' || e.address || ' ' WHEN 2 THEN initcap(e.address)
              ELSE CASE WHEN k.merged THEN e.address || ' ' ELSE e.address END END END,
    pg_temp.draw(n, g.seed, 12) % 3 = 0,
    pg_temp.moment(pg_temp.draw(n, g.seed, 13))
FROM gen g
CROSS JOIN LATERAL generate_series(1, g.emails) AS n
CROSS JOIN LATERAL (
    SELECT g.emails_merged + g.emails_empty + g.emails_no_at AS planted,
           g.emails / greatest(g.emails_merged + g.emails_empty + g.emails_no_at, 1) AS step OFFSET 0) AS p
CROSS JOIN LATERAL (SELECT CASE WHEN n % p.step = 0 AND n / p.step <= p.planted THEN n / p.step END AS slot OFFSET 0) AS s
CROSS JOIN LATERAL (
    SELECT coalesce(s.slot * g.emails_merged / p.planted > (s.slot - 1) * g.emails_merged / p.planted, false) AS merged OFFSET 0) AS m
CROSS JOIN LATERAL (
    SELECT m.merged,
           CASE WHEN s.slot IS NOT NULL AND NOT m.merged THEN s.slot - s.slot * g.emails_merged / p.planted END AS reject,
           CASE WHEN m.merged THEN n - 1 - pg_temp.draw(n, g.seed, 14) % (p.step - 1) ELSE n END AS like_row OFFSET 0) AS k
CROSS JOIN LATERAL (SELECT pg_temp.draw(k.like_row, g.seed, 10) AS a, pg_temp.draw(k.like_row, g.seed, 11) AS b OFFSET 0) AS d
CROSS JOIN LATERAL (
    SELECT g.given_plain[1 + d.b % 32] || '.' || lower(g.family[1 + d.b / 32 % 32]) || k.like_row || '@'
           || g.domains[1 + d.b / 1024 % 8] AS address OFFSET 0) AS e
