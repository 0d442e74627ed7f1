CREATE INDEX CONCURRENTLY idx_property_transactions_buyer_party
    ON core.property_transactions (buyer_party_id) WHERE buyer_party_id IS NOT NULL;
CREATE INDEX CONCURRENTLY idx_property_transactions_seller_party
    ON core.property_transactions (seller_party_id) WHERE seller_party_id IS NOT NULL;
ALTER TABLE core.property_transactions VALIDATE CONSTRAINT fk_transactions_buyer_party;
ALTER TABLE core.property_transactions VALIDATE CONSTRAINT fk_transactions_seller_party;
