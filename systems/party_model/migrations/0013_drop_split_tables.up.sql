-- no-transaction
-- Never used; what hangs on them is named one by one.
DROP MATERIALIZED VIEW core.iptu_party_enriched;
DROP MATERIALIZED VIEW dim.party_iptu_summary;
DROP TABLE core.party_emails;
DROP TABLE core.party_phones;
DROP TABLE core.party_iptus;
