ALTER TABLE core.entity_emails VALIDATE CONSTRAINT fk_emails_entity;
-- lane
ALTER TABLE core.entity_phones VALIDATE CONSTRAINT fk_phones_entity;
-- lane
ALTER TABLE core.entity_profiles VALIDATE CONSTRAINT fk_profiles_entity;
ALTER TABLE core.entity_financials VALIDATE CONSTRAINT fk_financials_entity;
ALTER TABLE core.entity_addresses VALIDATE CONSTRAINT fk_entity_addresses_entity;
ALTER TABLE core.entity_addresses VALIDATE CONSTRAINT fk_entity_addresses_address;
-- lane
ALTER TABLE core.properties VALIDATE CONSTRAINT fk_properties_owner;
ALTER TABLE core.properties VALIDATE CONSTRAINT fk_properties_address;
-- lane
ALTER TABLE core.entity_relationships VALIDATE CONSTRAINT fk_relationships_source;
ALTER TABLE core.entity_relationships VALIDATE CONSTRAINT fk_relationships_target;
-- lane
ALTER TABLE core.entity_family_relationships VALIDATE CONSTRAINT fk_family_entity;
ALTER TABLE core.entity_family_relationships VALIDATE CONSTRAINT fk_family_relative;
-- lane
ALTER TABLE core.property_transactions VALIDATE CONSTRAINT fk_transactions_buyer;
ALTER TABLE core.property_transactions VALIDATE CONSTRAINT fk_transactions_seller;
ALTER TABLE core.property_transactions VALIDATE CONSTRAINT fk_transactions_property;
