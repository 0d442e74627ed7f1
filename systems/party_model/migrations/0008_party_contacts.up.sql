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

-- How each contact was written in the old model, so that it can be written there again: the new one holds it
-- normalised, and several rows of the old one as one. The service does not know of these tables.

CREATE TABLE core.email_origins (
    id bigint PRIMARY KEY,
    party_id uuid NOT NULL,
    value text NOT NULL,
    email text NOT NULL,
    is_primary boolean NOT NULL,
    keeps boolean NOT NULL,
    created_at timestamptz NOT NULL
);
COMMENT ON COLUMN core.email_origins.keeps IS 'Whether it is the one of several that is primary when the contact is.';
CREATE INDEX idx_email_origins_contact ON core.email_origins (party_id, value);

CREATE TABLE core.phone_origins (
    id bigint PRIMARY KEY,
    party_id uuid NOT NULL,
    contact_type text NOT NULL,
    value text NOT NULL,
    phone text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX idx_phone_origins_contact ON core.phone_origins (party_id, contact_type, value);
