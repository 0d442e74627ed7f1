ALTER TABLE core.entities ALTER COLUMN updated_at DROP DEFAULT;
ALTER TABLE core.entity_phones ALTER COLUMN created_at DROP DEFAULT;
ALTER TABLE core.entity_emails ALTER COLUMN created_at DROP DEFAULT;
ALTER TABLE core.entity_addresses ALTER COLUMN created_at DROP DEFAULT;
ALTER TABLE core.addresses ALTER COLUMN created_at DROP DEFAULT;
