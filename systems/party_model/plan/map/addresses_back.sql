SELECT
    a.party_id AS entity_id,
    a.address_id,
    a.address_type,
    a.is_primary,
    a.verified,
    a.created_at
FROM core.party_addresses a
JOIN core.entities e ON e.entity_id = a.party_id
