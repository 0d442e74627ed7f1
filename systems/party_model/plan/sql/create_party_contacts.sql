-- One row per party, kind of contact and normalised value: e-mail addresses in lower case without spaces
-- around them, numbers as national digits.

CREATE TABLE core.party_contacts (
    party_id uuid NOT NULL REFERENCES core.parties ON DELETE CASCADE,
    contact_type text NOT NULL CHECK (contact_type IN ('email', 'phone', 'whatsapp')),
    value text NOT NULL CHECK (value <> ''),
    is_primary boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (party_id, contact_type, value)
);
CREATE INDEX idx_party_contacts_value ON core.party_contacts (value);
