-- People whose contacts a load may change one for one: each of their contacts is usable and none merges with
-- another, so that the counts of the migration stay what the generator announced.
SELECT e.national_id, m.rows, t.rows
FROM (SELECT s.entity_id FROM core.entity_profiles s WHERE s.provider = %(provider)s ORDER BY s.entity_id LIMIT %(limit)s * 20) s
JOIN core.entities e ON e.entity_id = s.entity_id
CROSS JOIN LATERAL (
    SELECT count(*) AS rows, count(*) FILTER (WHERE position('@' IN m.email) > 0) AS usable,
           count(DISTINCT lower(btrim(m.email))) AS different
    FROM core.entity_emails m WHERE m.entity_id = e.entity_id) m
CROSS JOIN LATERAL (
    SELECT count(*) AS rows, count(*) FILTER (WHERE t.phone ~ '[1-9]') AS usable,
           count(DISTINCT right(regexp_replace(t.phone, '[^0-9]', '', 'g'), 8)) AS different
    FROM core.entity_phones t WHERE t.entity_id = e.entity_id) t
WHERE length(e.national_id) = 11
  AND m.rows BETWEEN 1 AND 6 AND m.usable = m.rows AND m.different = m.rows
  AND t.rows BETWEEN 1 AND 6 AND t.usable = t.rows AND t.different = t.rows
ORDER BY e.national_id
LIMIT %(limit)s
