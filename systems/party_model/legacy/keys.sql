-- Keys, indexes and checks, a statement each; `-- lane` lines cut the file into parts that two sessions share.

ALTER TABLE core.entities ADD PRIMARY KEY (entity_id);
ALTER TABLE core.entities ADD CONSTRAINT entities_national_id_key UNIQUE (national_id);

-- lane
ALTER TABLE core.entity_phones ADD PRIMARY KEY (id);
SELECT setval('core.entity_phones_id_seq', max(id)) FROM core.entity_phones;

-- lane
ALTER TABLE core.entity_emails ADD PRIMARY KEY (id);
CREATE INDEX idx_entity_emails_entity_id ON core.entity_emails (entity_id);
CREATE INDEX idx_entity_emails_lower ON core.entity_emails (lower(email));
SELECT setval('core.entity_emails_id_seq', max(id)) FROM core.entity_emails;

-- lane
ALTER TABLE core.addresses ADD PRIMARY KEY (id);

-- lane
ALTER TABLE core.entity_profiles ADD PRIMARY KEY (entity_id, provider);
ALTER TABLE core.entity_financials ADD PRIMARY KEY (entity_id);
CREATE INDEX idx_entity_addresses_address_id ON core.entity_addresses (address_id);

-- lane
ALTER TABLE core.properties ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX uq_properties_iptu_number ON core.properties (iptu_number);
CREATE INDEX idx_properties_owner_entity_id ON core.properties (owner_entity_id) WHERE owner_entity_id IS NOT NULL;

-- lane
ALTER TABLE core.property_transactions ADD PRIMARY KEY (id);
CREATE INDEX idx_property_transactions_property_id ON core.property_transactions (property_id);
CREATE INDEX idx_property_transactions_buyer ON core.property_transactions (buyer_entity_id) WHERE buyer_entity_id IS NOT NULL;
CREATE INDEX idx_property_transactions_seller ON core.property_transactions (seller_entity_id) WHERE seller_entity_id IS NOT NULL;

-- lane
ALTER TABLE core.entity_relationships ADD PRIMARY KEY (id);
CREATE INDEX idx_entity_relationships_source ON core.entity_relationships (source_entity_id);
CREATE INDEX idx_entity_relationships_target ON core.entity_relationships (target_entity_id);

-- lane
ALTER TABLE core.entity_family_relationships ADD PRIMARY KEY (id);
CREATE INDEX idx_entity_family_relationships_entity ON core.entity_family_relationships (entity_id);
CREATE INDEX idx_entity_family_relationships_relative ON core.entity_family_relationships (relative_entity_id);
