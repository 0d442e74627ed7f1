-- The first twelve point at core.entities. They are added unvalidated and validated afterwards, so that two
-- sessions can validate at once (keys.sql says what `-- lane` is).

ALTER TABLE core.entity_emails ADD CONSTRAINT fk_emails_entity
    FOREIGN KEY (entity_id) REFERENCES core.entities ON DELETE CASCADE NOT VALID;
ALTER TABLE core.entity_phones ADD CONSTRAINT fk_phones_entity
    FOREIGN KEY (entity_id) REFERENCES core.entities ON DELETE CASCADE NOT VALID;
ALTER TABLE core.entity_addresses ADD CONSTRAINT fk_entity_addresses_entity
    FOREIGN KEY (entity_id) REFERENCES core.entities ON DELETE CASCADE NOT VALID;
ALTER TABLE core.entity_profiles ADD CONSTRAINT fk_profiles_entity
    FOREIGN KEY (entity_id) REFERENCES core.entities ON DELETE CASCADE NOT VALID;
ALTER TABLE core.entity_financials ADD CONSTRAINT fk_financials_entity
    FOREIGN KEY (entity_id) REFERENCES core.entities ON DELETE CASCADE NOT VALID;
ALTER TABLE core.entity_relationships ADD CONSTRAINT fk_relationships_source
    FOREIGN KEY (source_entity_id) REFERENCES core.entities ON DELETE CASCADE NOT VALID;
ALTER TABLE core.entity_relationships ADD CONSTRAINT fk_relationships_target
    FOREIGN KEY (target_entity_id) REFERENCES core.entities ON DELETE CASCADE NOT VALID;
ALTER TABLE core.entity_family_relationships ADD CONSTRAINT fk_family_entity
    FOREIGN KEY (entity_id) REFERENCES core.entities ON DELETE CASCADE NOT VALID;
ALTER TABLE core.entity_family_relationships ADD CONSTRAINT fk_family_relative
    FOREIGN KEY (relative_entity_id) REFERENCES core.entities ON DELETE CASCADE NOT VALID;
ALTER TABLE core.properties ADD CONSTRAINT fk_properties_owner
    FOREIGN KEY (owner_entity_id) REFERENCES core.entities ON DELETE SET NULL NOT VALID;
ALTER TABLE core.property_transactions ADD CONSTRAINT fk_transactions_buyer
    FOREIGN KEY (buyer_entity_id) REFERENCES core.entities ON DELETE SET NULL NOT VALID;
ALTER TABLE core.property_transactions ADD CONSTRAINT fk_transactions_seller
    FOREIGN KEY (seller_entity_id) REFERENCES core.entities ON DELETE SET NULL NOT VALID;

ALTER TABLE core.entity_addresses ADD CONSTRAINT fk_entity_addresses_address
    FOREIGN KEY (address_id) REFERENCES core.addresses ON DELETE CASCADE NOT VALID;
ALTER TABLE core.properties ADD CONSTRAINT fk_properties_address
    FOREIGN KEY (address_id) REFERENCES core.addresses ON DELETE SET NULL NOT VALID;
ALTER TABLE core.property_transactions ADD CONSTRAINT fk_transactions_property
    FOREIGN KEY (property_id) REFERENCES core.properties ON DELETE CASCADE NOT VALID;
