-- no-transaction
-- The twelve that point at core.entities.
ALTER TABLE core.entity_emails DROP CONSTRAINT fk_emails_entity;
ALTER TABLE core.entity_phones DROP CONSTRAINT fk_phones_entity;
ALTER TABLE core.entity_addresses DROP CONSTRAINT fk_entity_addresses_entity;
ALTER TABLE core.entity_profiles DROP CONSTRAINT fk_profiles_entity;
ALTER TABLE core.entity_financials DROP CONSTRAINT fk_financials_entity;
ALTER TABLE core.entity_relationships DROP CONSTRAINT fk_relationships_source;
ALTER TABLE core.entity_relationships DROP CONSTRAINT fk_relationships_target;
ALTER TABLE core.entity_family_relationships DROP CONSTRAINT fk_family_entity;
ALTER TABLE core.entity_family_relationships DROP CONSTRAINT fk_family_relative;
ALTER TABLE core.properties DROP CONSTRAINT fk_properties_owner;
ALTER TABLE core.property_transactions DROP CONSTRAINT fk_transactions_buyer;
ALTER TABLE core.property_transactions DROP CONSTRAINT fk_transactions_seller;
