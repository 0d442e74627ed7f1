-- What the load itself made: its people have CPFs that begin with 9, those of the born begin with 99. For each
-- mapping how many rows of the source are theirs, and what becomes of them.
WITH people AS MATERIALIZED (
    SELECT entity_id FROM core.entities
    WHERE length(national_id) = 11 AND national_id LIKE '9%' AND national_id NOT LIKE '99%'
), emails AS MATERIALIZED (
    SELECT s.entity_id, coalesce(btrim(s.email) = '', true) AS empty,
           CASE WHEN position('@' IN s.email) > 0 THEN lower(btrim(s.email)) END AS value
    FROM people JOIN core.entity_emails s USING (entity_id)
), phones AS MATERIALIZED (
    SELECT s.entity_id, s.is_whatsapp, coalesce(btrim(s.phone) = '', true) AS empty, CASE WHEN s.phone ~ '[1-9]' THEN
           regexp_replace(regexp_replace(s.phone, '[^0-9]', '', 'g'), '^0*(55(?=[0-9]{10,11}$))?', '') END AS value
    FROM people JOIN core.entity_phones s USING (entity_id)
), counted (mapping, source_rows, yields, migrated, rejected_by_reason) AS (
    SELECT 'parties', count(*), count(*), count(*), '{}'::jsonb FROM people
    UNION ALL SELECT 'people', count(*), count(*), count(*), '{}' FROM people
    UNION ALL SELECT 'companies', count(*), 0, 0, jsonb_build_object('a person', count(*)) FROM people
    UNION ALL SELECT 'contacts_from_emails', count(*), count(value),
                     count(DISTINCT (entity_id, value)) FILTER (WHERE value IS NOT NULL),
                     jsonb_build_object('empty', count(*) FILTER (WHERE empty),
                                        'no at sign', count(*) FILTER (WHERE value IS NULL AND NOT empty)) FROM emails
    UNION ALL SELECT 'contacts_from_phones', count(*), count(value),
                     count(DISTINCT (entity_id, is_whatsapp, value)) FILTER (WHERE value IS NOT NULL),
                     jsonb_build_object('empty', count(*) FILTER (WHERE empty),
                                        'no digits', count(*) FILTER (WHERE value IS NULL AND NOT empty)) FROM phones
    UNION ALL SELECT 'enrichments', count(*), count(*), count(*), '{}' FROM people JOIN core.entity_profiles s USING (entity_id)
    UNION ALL SELECT 'party_addresses', count(*), count(*), count(*), '{}'
              FROM people JOIN core.entity_addresses s USING (entity_id)
)
SELECT mapping, source_rows, migrated, yields - migrated AS merged, source_rows - yields AS rejected, rejected_by_reason
FROM counted
