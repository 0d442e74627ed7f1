SELECT
    o.id,
    c.party_id AS entity_id,
    o.phone,
    c.contact_type = 'whatsapp' AS is_whatsapp,
    o.created_at
FROM core.party_contacts c
JOIN core.phone_origins o ON o.party_id = c.party_id AND o.contact_type = c.contact_type AND o.value = c.value
JOIN core.entities e ON e.entity_id = c.party_id
-- A contact that was removed and came again is another one: it has a row of its own.
WHERE EXISTS (
    SELECT FROM core.phone_origins k
    WHERE k.party_id = c.party_id AND k.contact_type = c.contact_type AND k.value = c.value
      AND k.created_at = c.created_at
)
