-- What the hardening made (systems/hardening), where its own plan did not.

CREATE INDEX idx_entities_metadata_c2s_lead_id ON core.entities ((metadata ->> 'c2s_lead_id'));
CREATE INDEX idx_entities_enriched_at ON core.entities (enriched_at);

-- lane
CREATE UNIQUE INDEX uq_entity_phones_per_entity ON core.entity_phones (entity_id, phone);

-- lane
CREATE UNIQUE INDEX uq_addresses_hash ON core.addresses (address_hash) WHERE address_hash IS NOT NULL;
CREATE INDEX idx_addresses_neighborhood_lower ON core.addresses (lower(neighborhood));
ALTER TABLE core.addresses ADD CONSTRAINT chk_addresses_zip_code CHECK (zip_code ~ '^[0-9]{8}$');
ALTER TABLE core.addresses ADD CONSTRAINT chk_addresses_state_uf CHECK (state ~ '^[A-Z]{2}$');

-- lane
ALTER TABLE core.entity_addresses ADD CONSTRAINT uq_entity_addresses UNIQUE (entity_id, address_id);
CREATE INDEX idx_entity_addresses_confidence_high ON core.entity_addresses (entity_id) WHERE confidence_score >= 0.8;

-- lane
ALTER TABLE core.entity_relationships ADD CONSTRAINT fk_relationship_type
    FOREIGN KEY (relationship_type) REFERENCES ref.relationship_types;
