SELECT
    p.id AS party_id,
    e.national_id AS cnpj,
    e.name AS legal_name,
    e.metadata ->> 'trade_name' AS trade_name
FROM core.entities e
JOIN core.parties p ON p.id = e.entity_id
WHERE length(e.national_id) = 14
