SELECT
    n.party_id AS entity_id,
    (n.normalized_data -> 'financials' ->> 'monthly_income')::numeric(14, 2) AS monthly_income,
    (n.normalized_data -> 'financials' ->> 'annual_revenue')::numeric(16, 2) AS annual_revenue,
    (n.normalized_data -> 'financials' ->> 'net_worth')::numeric(16, 2) AS net_worth,
    (n.normalized_data -> 'financials' ->> 'credit_score')::integer AS credit_score
FROM core.party_enrichments n
JOIN core.entities e ON e.entity_id = n.party_id
WHERE n.normalized_data ? 'financials'
