-- Rows that the old model never had get a number that follows from what they are, and that its sequence never gives.
SELECT
    -1 - (hashtextextended(c.party_id::text || ' ' || c.contact_type || ' ' || c.value, 0) & 9223372036854775807) AS id,
    c.party_id AS entity_id,
    c.value AS email,
    c.is_primary,
    c.created_at
FROM core.party_contacts c
JOIN core.entities e ON e.entity_id = c.party_id
WHERE c.contact_type = 'email'
  AND NOT EXISTS (SELECT FROM core.email_origins o WHERE o.party_id = c.party_id AND o.value = c.value)
