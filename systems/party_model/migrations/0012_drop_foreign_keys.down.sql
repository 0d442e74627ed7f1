-- no-transaction
-- What was left of entities that were erased meanwhile goes, as it would have gone with them.
DELETE FROM core.entity_emails s WHERE NOT EXISTS (SELECT FROM core.entities e WHERE e.entity_id = s.entity_id);
DELETE FROM core.entity_phones s WHERE NOT EXISTS (SELECT FROM core.entities e WHERE e.entity_id = s.entity_id);
DELETE FROM core.entity_addresses s WHERE NOT EXISTS (SELECT FROM core.entities e WHERE e.entity_id = s.entity_id);
DELETE FROM core.entity_profiles s WHERE NOT EXISTS (SELECT FROM core.entities e WHERE e.entity_id = s.entity_id);
DELETE FROM core.entity_financials s WHERE NOT EXISTS (SELECT FROM core.entities e WHERE e.entity_id = s.entity_id);
DELETE FROM core.entity_relationships r
WHERE NOT EXISTS (SELECT FROM core.entities e WHERE e.entity_id = r.source_entity_id)
   OR NOT EXISTS (SELECT FROM core.entities e WHERE e.entity_id = r.target_entity_id);
DELETE FROM core.entity_family_relationships r
WHERE NOT EXISTS (SELECT FROM core.entities e WHERE e.entity_id = r.entity_id)
   OR NOT EXISTS (SELECT FROM core.entities e WHERE e.entity_id = r.relative_entity_id);
UPDATE core.properties p SET owner_entity_id = NULL
WHERE owner_entity_id IS NOT NULL AND NOT EXISTS (SELECT FROM core.entities e WHERE e.entity_id = p.owner_entity_id);
UPDATE core.property_transactions t SET buyer_entity_id = NULL
WHERE buyer_entity_id IS NOT NULL AND NOT EXISTS (SELECT FROM core.entities e WHERE e.entity_id = t.buyer_entity_id);
UPDATE core.property_transactions t SET seller_entity_id = NULL
WHERE seller_entity_id IS NOT NULL AND NOT EXISTS (SELECT FROM core.entities e WHERE e.entity_id = t.seller_entity_id);

-- Not valid first, which takes a moment; the rows are looked at without holding anybody up.
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
ALTER TABLE core.entity_emails VALIDATE CONSTRAINT fk_emails_entity;
ALTER TABLE core.entity_phones VALIDATE CONSTRAINT fk_phones_entity;
ALTER TABLE core.entity_addresses VALIDATE CONSTRAINT fk_entity_addresses_entity;
ALTER TABLE core.entity_profiles VALIDATE CONSTRAINT fk_profiles_entity;
ALTER TABLE core.entity_financials VALIDATE CONSTRAINT fk_financials_entity;
ALTER TABLE core.entity_relationships VALIDATE CONSTRAINT fk_relationships_source;
ALTER TABLE core.entity_relationships VALIDATE CONSTRAINT fk_relationships_target;
ALTER TABLE core.entity_family_relationships VALIDATE CONSTRAINT fk_family_entity;
ALTER TABLE core.entity_family_relationships VALIDATE CONSTRAINT fk_family_relative;
ALTER TABLE core.properties VALIDATE CONSTRAINT fk_properties_owner;
ALTER TABLE core.property_transactions VALIDATE CONSTRAINT fk_transactions_buyer;
ALTER TABLE core.property_transactions VALIDATE CONSTRAINT fk_transactions_seller;
