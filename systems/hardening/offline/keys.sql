-- The foreign keys to ref.property_types and ref.street_type_catalog wait until those tables are there.
ALTER TABLE core.entity_addresses ADD CONSTRAINT uq_entity_addresses UNIQUE (entity_id, address_id);
ALTER TABLE core.entity_relationships ADD CONSTRAINT fk_relationship_type
    FOREIGN KEY (relationship_type) REFERENCES ref.relationship_types (code);
CREATE UNIQUE INDEX uq_addresses_hash ON core.addresses (address_hash) WHERE address_hash IS NOT NULL;
