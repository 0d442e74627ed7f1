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
