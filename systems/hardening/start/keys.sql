-- By which the contacts of an entity are found, before there is a unique key.

CREATE INDEX idx_entity_phones_entity_id ON core.entity_phones (entity_id);

-- lane
CREATE INDEX idx_entity_addresses_entity_id ON core.entity_addresses (entity_id);
