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
