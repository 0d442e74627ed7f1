SELECT
    n.party_id AS entity_id,
    n.provider,
    n.raw_data AS payload,
    n.enriched_at AS updated_at
FROM core.party_enrichments n
JOIN core.entities e ON e.entity_id = n.party_id
