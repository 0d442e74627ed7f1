-- Rows that the old model never had get a number that follows from what they are, and that its sequence never gives.
-- It follows from when they were made, too: the old model may put another value into such a row, after the way back.
SELECT
    -1 - (hash_record_extended(ROW(c.party_id, c.contact_type, c.value, c.created_at), 0) & 9223372036854775807) AS id,
    c.party_id AS entity_id,
    c.value AS phone,
    c.contact_type = 'whatsapp' AS is_whatsapp,
    c.created_at
FROM core.party_contacts c
JOIN core.entities e ON e.entity_id = c.party_id
WHERE c.contact_type <> 'email'
  AND NOT EXISTS (
    SELECT FROM core.phone_origins o
    WHERE o.party_id = c.party_id AND o.contact_type = c.contact_type AND o.value = c.value
      AND o.created_at = c.created_at
)
