ALTER TABLE core.property_transactions ADD COLUMN buyer_party_id uuid, ADD COLUMN seller_party_id uuid;
ALTER TABLE core.property_transactions ADD CONSTRAINT fk_transactions_buyer_party
    FOREIGN KEY (buyer_party_id) REFERENCES core.parties ON DELETE SET NULL NOT VALID;
ALTER TABLE core.property_transactions ADD CONSTRAINT fk_transactions_seller_party
    FOREIGN KEY (seller_party_id) REFERENCES core.parties ON DELETE SET NULL NOT VALID;
