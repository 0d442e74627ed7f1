SELECT
    p.id AS party_id,
    'email' AS contact_type,
    lower(btrim(s.email)) AS value,
    s.is_primary,
    s.created_at
FROM core.entity_emails s
JOIN core.entities e ON e.entity_id = s.entity_id
JOIN core.parties p ON p.id = e.entity_id
WHERE position('@' IN s.email) > 0
