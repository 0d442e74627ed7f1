-- no-transaction
-- Nobody goes back any more.
DROP INDEX core.idx_party_contacts_way_back;
DROP TABLE core.email_origins;
DROP TABLE core.phone_origins;
