SELECT coalesce(sum(n - 1), 0)::bigint
FROM (SELECT count(*) AS n FROM core.entity_phones WHERE phone IS NOT NULL GROUP BY entity_id, phone HAVING count(*) > 1) AS twice
