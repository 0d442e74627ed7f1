ALTER TABLE core.entities SET (autovacuum_enabled = off);
ALTER TABLE core.entity_phones SET (autovacuum_enabled = off);
ALTER TABLE core.entity_emails SET (autovacuum_enabled = off);
ALTER TABLE core.entity_addresses SET (autovacuum_enabled = off);
ALTER TABLE core.entity_relationships SET (autovacuum_enabled = off);
ALTER TABLE core.addresses SET (autovacuum_enabled = off);
