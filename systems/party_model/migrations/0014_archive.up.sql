-- Addresses that the service removes must not reach into the archive.
ALTER TABLE core.entity_addresses DROP CONSTRAINT fk_entity_addresses_address;
