CREATE INDEX idx_entities_metadata_c2s_lead_id ON core.entities ((metadata ->> 'c2s_lead_id'));
-- Parts of names are looked for, not only their beginnings: trigrams.
CREATE INDEX idx_addresses_neighborhood_lower ON core.addresses USING gin (lower(neighborhood) gin_trgm_ops);
CREATE INDEX idx_entity_addresses_confidence_high ON core.entity_addresses (entity_id) WHERE confidence_score >= 0.8;
CREATE INDEX idx_entities_enriched_at ON core.entities (enriched_at);
