-- What the sales desk writes about one caller, in one statement: it gives the times itself, as code does that knows of no
-- defaults. A number that the entity has already is written once more, as long as nothing forbids that.
WITH caller AS (
    INSERT INTO core.entities (entity_id, national_id, entity_type, name, metadata, is_enriched, created_at, updated_at)
    VALUES (%(entity)s, %(cpf)s, 'person', %(name)s, '{"source": "desk"}', false, now(), now())
), email AS (
    INSERT INTO core.entity_emails (entity_id, email, is_primary, created_at)
    VALUES (%(entity)s, %(email)s, true, now())
), place AS (
    INSERT INTO core.addresses (id, street, number, neighborhood, city, state, zip_code, created_at)
    VALUES (%(address)s, 'Rua da Mesa', %(number)s, 'Centro', 'Recife', 'PE', '50030230', now())
), residence AS (
    INSERT INTO core.entity_addresses (entity_id, address_id, created_at)
    VALUES (%(entity)s, %(address)s, now())
), knows AS (
    INSERT INTO core.entity_relationships (source_entity_id, target_entity_id, relationship_type)
    VALUES (%(entity)s, %(entity)s, 'partner')
)
INSERT INTO core.entity_phones (entity_id, phone, is_whatsapp, created_at)
SELECT %(entity)s, %(phone)s, false, now() FROM generate_series(1, %(times)s)
ON CONFLICT DO NOTHING
