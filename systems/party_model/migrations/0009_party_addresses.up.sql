CREATE TABLE core.party_addresses (
    party_id uuid NOT NULL REFERENCES core.parties ON DELETE CASCADE,
    address_id uuid NOT NULL REFERENCES core.addresses ON DELETE CASCADE,
    address_type text NOT NULL DEFAULT 'residential',
    is_primary boolean NOT NULL DEFAULT false,
    verified boolean NOT NULL DEFAULT false,
    confidence_score numeric(3, 2) NOT NULL CHECK (confidence_score BETWEEN 0 AND 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (party_id, address_id)
);
CREATE UNIQUE INDEX uq_party_addresses_primary ON core.party_addresses (party_id) WHERE is_primary;
CREATE INDEX idx_party_addresses_address_id ON core.party_addresses (address_id);
