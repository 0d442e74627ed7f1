-- What the messenger's own library had made before: its two tables and two functions.
CREATE TABLE whatsapp_auth (
    company_id varchar(50) PRIMARY KEY,
    creds jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE whatsapp_keys (
    company_id varchar(50) NOT NULL REFERENCES whatsapp_auth ON DELETE CASCADE,
    key_type varchar(100) NOT NULL,
    key_id varchar(255) NOT NULL,
    value jsonb NOT NULL,
    expires_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, key_type, key_id)
);
CREATE INDEX idx_whatsapp_keys_expires_at ON whatsapp_keys (expires_at) WHERE expires_at IS NOT NULL;

CREATE FUNCTION cleanup_expired_whatsapp_keys() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    gone integer;
BEGIN
    DELETE FROM whatsapp_keys WHERE expires_at < now();
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;
CREATE FUNCTION get_whatsapp_auth_stats() RETURNS TABLE (companies bigint, keys bigint) LANGUAGE sql STABLE AS $$
    SELECT (SELECT count(*) FROM whatsapp_auth), (SELECT count(*) FROM whatsapp_keys)
$$;

INSERT INTO whatsapp_auth (company_id, creds) VALUES ('1', '{"registered": true}');
INSERT INTO whatsapp_keys (company_id, key_type, key_id, value)
    SELECT '1', 'pre-key', n::text, '{}' FROM generate_series(1, 100) n;
