-- Numbers that an entity has twice, and every fifth of them three times. The row that was added is younger than the
-- first one, or as old, or older: not always the one with the largest id goes.
INSERT INTO core.entity_phones (id, entity_id, phone, is_whatsapp, created_at)
SELECT g.phones + n, b.entity_id, b.phone, n % 2 = 0, b.created_at + make_interval(days => (n % 3 - 1)::int)
FROM gen g
CROSS JOIN planted p
CROSS JOIN LATERAL generate_series(1, p.surplus_phones) AS n
JOIN (
    SELECT s.entity_id, s.phone, s.created_at, row_number() OVER (ORDER BY s.id) AS place
    FROM gen g CROSS JOIN planted p
    JOIN core.entity_phones s ON s.id % greatest(g.phones / p.surplus_phones / 2, 1) = 0
    WHERE s.phone ~ '[1-9]'
) AS b ON b.place = n - n / 5;

-- Two rows of one entity without a number are not alike: nobody knows whether it is the same.
UPDATE core.entity_phones s SET entity_id = (SELECT f.entity_id FROM core.entity_phones f WHERE f.phone IS NULL ORDER BY f.id LIMIT 1)
WHERE s.id = (SELECT f.id FROM core.entity_phones f WHERE f.phone IS NULL ORDER BY f.id OFFSET 1 LIMIT 1)
