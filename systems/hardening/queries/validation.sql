-- What must be 0 from now on, to be asked on a schedule.
SELECT
    (SELECT coalesce(sum(n - 1), 0)::bigint FROM (
        SELECT count(*) AS n FROM core.entity_phones WHERE phone IS NOT NULL GROUP BY entity_id, phone HAVING count(*) > 1
     ) AS twice) AS "numbers that an entity has twice",
    (SELECT count(*) FROM core.addresses WHERE state !~ '^[A-Z]{2}$') AS "states out of form",
    (SELECT count(*) FROM core.addresses WHERE zip_code !~ '^[0-9]{8}$') AS "zip codes out of form",
    (SELECT count(*) FROM core.entity_addresses a JOIN core.entities e USING (entity_id)
     WHERE e.is_enriched AND a.created_at >= %(since)s AND a.confidence_score IS NULL) AS "addresses stored without confidence",
    (SELECT count(*) FROM core.entity_addresses
     WHERE confidence_score NOT BETWEEN 0 AND 1) AS "confidence that is not between 0 and 1",
    (SELECT count(*) FROM core.entities
     WHERE is_enriched AND metadata ->> 'c2s_lead_id' IS NULL) AS "enriched entities without a lead"
