-- What each provider said about a party, as it came, and what became of it.

CREATE TABLE core.party_enrichments (
    party_id uuid NOT NULL REFERENCES core.parties ON DELETE CASCADE,
    provider text NOT NULL,
    raw_data jsonb NOT NULL,
    normalized_data jsonb NOT NULL DEFAULT '{}',
    enriched_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (party_id, provider)
);
