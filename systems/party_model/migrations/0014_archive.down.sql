DELETE FROM core.entity_addresses s WHERE NOT EXISTS (SELECT FROM core.addresses a WHERE a.id = s.address_id);
ALTER TABLE core.entity_addresses ADD CONSTRAINT fk_entity_addresses_address
    FOREIGN KEY (address_id) REFERENCES core.addresses ON DELETE CASCADE NOT VALID;
ALTER TABLE core.entity_addresses VALIDATE CONSTRAINT fk_entity_addresses_address;
