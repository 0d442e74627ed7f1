SELECT
    -1 - (hashtextextended(c.party_id::text || ' ' || c.contact_type || ' ' || c.value, 0) & 9223372036854775807) AS id,
    c.party_id AS entity_id,
    c.value AS phone,
    c.contact_type = 'whatsapp' AS is_whatsapp,
    c.created_at
FROM core.party_contacts c
JOIN core.entities e ON e.entity_id = c.party_id
WHERE c.contact_type <> 'email'
  AND NOT EXISTS (
    SELECT FROM core.phone_origins o
    WHERE o.party_id = c.party_id AND o.contact_type = c.contact_type AND o.value = c.value
)
