-- Planted as in load_emails.sql: the same number of the same entity in another format, or no number at all.
-- The subscriber's eight digits are a permutation of the row's number, so no two other rows are alike.
INSERT INTO core.entity_phones (id, entity_id, phone, is_whatsapp, created_at)
SELECT
    n,
    pg_temp.entity(pg_temp.holder(d.a, g.entities), g.seed),
    CASE WHEN k.reject BETWEEN 1 AND g.phones_empty
              THEN CASE k.reject % 2 WHEN 0 THEN NULL ELSE repeat(' ', (k.reject % 40)::int) END
         WHEN k.reject > g.phones_empty THEN (ARRAY['não informado', 'n/a', '-'])[1 + k.reject % 3]
         ELSE CASE (d.b / 4096 + k.merged::int) % 7
              WHEN 0 THEN '+55 (' || t.area || ') ' || t.head || '-' || t.tail
              WHEN 1 THEN '(' || t.area || ') ' || t.head || '-' || t.tail
              WHEN 2 THEN '55' || t.area || t.head || t.tail
              WHEN 3 THEN '0' || t.area || ' ' || t.head || ' ' || t.tail
              WHEN 4 THEN ' ' || t.area || ' ' || t.head || '.' || t.tail
              WHEN 5 THEN '+55' || t.area || t.head || t.tail
              ELSE t.area || t.head || t.tail END END,
    d.b / 12 % 3 = 0,
    pg_temp.moment(pg_temp.draw(n, g.seed, 23))
FROM gen g
CROSS JOIN LATERAL generate_series(1, g.phones) AS n
CROSS JOIN LATERAL (
    SELECT g.phones_merged + g.phones_empty + g.phones_no_digits AS planted,
           g.phones / greatest(g.phones_merged + g.phones_empty + g.phones_no_digits, 1) AS step OFFSET 0) AS p
CROSS JOIN LATERAL (SELECT CASE WHEN n % p.step = 0 AND n / p.step <= p.planted THEN n / p.step END AS slot OFFSET 0) AS s
CROSS JOIN LATERAL (
    SELECT coalesce(s.slot * g.phones_merged / p.planted > (s.slot - 1) * g.phones_merged / p.planted, false) AS merged OFFSET 0) AS m
CROSS JOIN LATERAL (
    SELECT m.merged,
           CASE WHEN s.slot IS NOT NULL AND NOT m.merged THEN s.slot - s.slot * g.phones_merged / p.planted END AS reject,
           CASE WHEN m.merged THEN n - 1 - pg_temp.draw(n, g.seed, 24) % (p.step - 1) ELSE n END AS like_row OFFSET 0) AS k
CROSS JOIN LATERAL (SELECT pg_temp.draw(k.like_row, g.seed, 20) AS a, pg_temp.draw(k.like_row, g.seed, 21) AS b OFFSET 0) AS d
CROSS JOIN LATERAL (
    SELECT lpad(((k.like_row * 7368787 + g.seed * 104729) % 100000000)::text, 8, '0') AS digits OFFSET 0) AS u
CROSS JOIN LATERAL (
    SELECT g.area_codes[1 + d.b % 12] AS area,
           CASE WHEN d.b / 36 % 4 = 0 THEN '' ELSE '9' END || left(u.digits, 4) AS head,
           right(u.digits, 4) AS tail OFFSET 0) AS t
