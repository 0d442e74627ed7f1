SELECT
    p.id AS party_id,
    s.provider,
    s.payload AS raw_data,
    s.updated_at AS enriched_at
FROM core.entity_profiles s
JOIN core.parties p ON p.id = s.entity_id
