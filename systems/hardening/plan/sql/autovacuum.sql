-- Or the statistics would be out of date again next month.
ALTER TABLE core.entities RESET (autovacuum_enabled);
ALTER TABLE core.entity_phones RESET (autovacuum_enabled);
ALTER TABLE core.entity_emails RESET (autovacuum_enabled);
ALTER TABLE core.entity_addresses RESET (autovacuum_enabled);
ALTER TABLE core.entity_relationships RESET (autovacuum_enabled);
ALTER TABLE core.addresses RESET (autovacuum_enabled);
