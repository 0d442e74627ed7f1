-- Into one enrichment of the party, the one whose provider's name comes first: written into all of them, the
-- same figures would be counted several times. Built from text because jsonb_build_object is not immutable.
SELECT
    n.party_id,
    n.provider,
    n.normalized_data || (
        '{"financials": {"monthly_income": ' || coalesce(f.monthly_income::text, 'null')
        || ', "annual_revenue": ' || coalesce(f.annual_revenue::text, 'null')
        || ', "net_worth": ' || coalesce(f.net_worth::text, 'null')
        || ', "credit_score": ' || coalesce(f.credit_score::text, 'null') || '}}'
    )::jsonb AS normalized_data
FROM core.entity_financials f
JOIN core.party_enrichments n ON n.party_id = f.entity_id
WHERE NOT EXISTS (
    SELECT FROM core.party_enrichments b WHERE b.party_id = n.party_id AND b.provider < n.provider
)
