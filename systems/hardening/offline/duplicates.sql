-- The oldest row of each number of an entity stays; the others go to a table of their own.
CREATE SCHEMA quarantine;
CREATE TABLE quarantine.entity_phones AS
SELECT t.id, t.entity_id, t.phone, t.is_whatsapp, t.created_at, t.phone_e164, t.first AS surviving_id,
       'duplicate per (entity_id, phone)' AS reason
FROM (
    SELECT s.*, row_number() OVER same AS place, first_value(s.id) OVER same AS first
    FROM core.entity_phones s WHERE s.phone IS NOT NULL
    WINDOW same AS (PARTITION BY s.entity_id, s.phone ORDER BY s.created_at, s.id)
) AS t
WHERE t.place > 1;
DELETE FROM core.entity_phones s USING quarantine.entity_phones q WHERE q.id = s.id;
ALTER TABLE core.entity_phones ADD CONSTRAINT uq_entity_phones_per_entity UNIQUE (entity_id, phone);
