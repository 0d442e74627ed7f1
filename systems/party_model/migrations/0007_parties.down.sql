DROP TABLE core.party_enrichments;
DROP TABLE core.companies;
DROP TABLE core.people;
DROP TABLE core.parties;
