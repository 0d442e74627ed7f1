SELECT
    p.id AS party_id,
    s.address_id,
    s.address_type,
    s.is_primary,
    s.verified,
    CASE WHEN s.is_primary THEN 0.90 ELSE 0.75 END AS confidence_score,
    s.created_at
FROM core.entity_addresses s
JOIN core.parties p ON p.id = s.entity_id
