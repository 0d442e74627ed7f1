-- What the schema was when something was decided for it: kept to say what has changed since.

CREATE TABLE lockgate.schemas (
    digest           text PRIMARY KEY,
    description      text NOT NULL
);
COMMENT ON TABLE lockgate.schemas IS 'Append-only. The schemas that approvals and marks are for, each once, by the hash that these hold.';

CREATE TRIGGER schemas_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON lockgate.schemas
    FOR EACH STATEMENT EXECUTE FUNCTION lockgate.refuse_change();
-- ALWAYS: session_replication_role = replica must not switch it off.
ALTER TABLE lockgate.schemas ENABLE ALWAYS TRIGGER schemas_append_only;
