-- A party is a person or a company. The ids of entities live on as the ids of their parties, so nothing has
-- to be joined on cpf_cnpj: that number is unique in core.entities only.

CREATE TABLE core.parties (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    cpf_cnpj text NOT NULL,
    party_type text NOT NULL CHECK (party_type IN ('person', 'company')),
    display_name text,
    metadata jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_parties_cpf_cnpj ON core.parties (cpf_cnpj);

CREATE TABLE core.people (
    party_id uuid PRIMARY KEY REFERENCES core.parties ON DELETE CASCADE,
    cpf text NOT NULL,
    full_name text,
    gender text,
    birth_year smallint
);

CREATE TABLE core.companies (
    party_id uuid PRIMARY KEY REFERENCES core.parties ON DELETE CASCADE,
    cnpj text NOT NULL,
    legal_name text,
    trade_name text
);

-- What each provider said about a party, as it came, and what became of it.

CREATE TABLE core.party_enrichments (
    party_id uuid NOT NULL REFERENCES core.parties ON DELETE CASCADE,
    provider text NOT NULL,
    raw_data jsonb NOT NULL,
    normalized_data jsonb NOT NULL DEFAULT '{}',
    enriched_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (party_id, provider)
);
