DROP TABLE core.party_addresses;
