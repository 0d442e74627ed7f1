SELECT
    s.id,
    s.entity_id AS party_id,
    lower(btrim(s.email)) AS value,
    s.email,
    s.is_primary,
    false AS keeps,
    s.created_at
FROM core.entity_emails s
WHERE position('@' IN s.email) > 0
  AND EXISTS (
    SELECT FROM core.entity_emails b
    WHERE b.entity_id = s.entity_id AND lower(btrim(b.email)) = lower(btrim(s.email))
      AND (NOT b.is_primary, b.created_at, b.id) < (NOT s.is_primary, s.created_at, s.id)
)
