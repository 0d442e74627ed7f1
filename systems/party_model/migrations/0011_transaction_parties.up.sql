-- no-transaction
ALTER TABLE core.property_transactions ADD COLUMN buyer_party_id uuid, ADD COLUMN seller_party_id uuid;
ALTER TABLE core.property_transactions ADD CONSTRAINT fk_transactions_buyer_party
    FOREIGN KEY (buyer_party_id) REFERENCES core.parties ON DELETE SET NULL NOT VALID;
ALTER TABLE core.property_transactions ADD CONSTRAINT fk_transactions_seller_party
    FOREIGN KEY (seller_party_id) REFERENCES core.parties ON DELETE SET NULL NOT VALID;

CREATE INDEX CONCURRENTLY idx_property_transactions_buyer_party
    ON core.property_transactions (buyer_party_id) WHERE buyer_party_id IS NOT NULL;
CREATE INDEX CONCURRENTLY idx_property_transactions_seller_party
    ON core.property_transactions (seller_party_id) WHERE seller_party_id IS NOT NULL;
ALTER TABLE core.property_transactions VALIDATE CONSTRAINT fk_transactions_buyer_party;
ALTER TABLE core.property_transactions VALIDATE CONSTRAINT fk_transactions_seller_party;

-- The way back looks contacts up by the numbers that it gives them in the old model.
CREATE INDEX CONCURRENTLY idx_party_contacts_way_back ON core.party_contacts
    ((-1 - (hash_record_extended(ROW(party_id, contact_type, value, created_at), 0) & 9223372036854775807)));
