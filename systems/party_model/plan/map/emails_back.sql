SELECT
    o.id,
    c.party_id AS entity_id,
    o.email,
    c.is_primary AND (o.is_primary OR o.keeps) AS is_primary,
    o.created_at
FROM core.party_contacts c
JOIN core.email_origins o ON o.party_id = c.party_id AND o.value = c.value
JOIN core.entities e ON e.entity_id = c.party_id
WHERE c.contact_type = 'email'
  -- A contact that was removed and came again is another one: it has a row of its own.
  AND EXISTS (
    SELECT FROM core.email_origins k
    WHERE k.party_id = c.party_id AND k.value = c.value AND k.created_at = c.created_at
)
