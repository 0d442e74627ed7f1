DROP TABLE core.party_enrichments;
DROP TABLE core.party_contacts;
DROP TABLE core.email_origins;
DROP TABLE core.phone_origins;
DROP TABLE core.companies;
DROP TABLE core.people;
DROP TABLE core.parties;
