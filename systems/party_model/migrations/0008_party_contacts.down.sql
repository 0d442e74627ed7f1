DROP TABLE core.party_contacts;
DROP TABLE core.email_origins;
DROP TABLE core.phone_origins;
