-- no-transaction
DROP INDEX IF EXISTS core.idx_party_contacts_way_back;
ALTER TABLE core.property_transactions DROP COLUMN buyer_party_id, DROP COLUMN seller_party_id;
