ALTER TABLE core.property_transactions DROP COLUMN buyer_party_id, DROP COLUMN seller_party_id;
