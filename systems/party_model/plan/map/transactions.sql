SELECT
    t.id,
    b.id AS buyer_party_id,
    s.id AS seller_party_id
FROM core.property_transactions t
LEFT JOIN core.parties b ON b.id = t.buyer_entity_id
LEFT JOIN core.parties s ON s.id = t.seller_entity_id
WHERE t.buyer_entity_id IS NOT NULL OR t.seller_entity_id IS NOT NULL
