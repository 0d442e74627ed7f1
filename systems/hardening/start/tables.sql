-- What the tables lacked before the hardening, and who looked after them: nobody.

ALTER TABLE core.entities SET (autovacuum_enabled = off);
ALTER TABLE core.entity_phones SET (autovacuum_enabled = off);
ALTER TABLE core.entity_emails SET (autovacuum_enabled = off);
ALTER TABLE core.entity_addresses SET (autovacuum_enabled = off);
ALTER TABLE core.entity_relationships SET (autovacuum_enabled = off);
ALTER TABLE core.addresses SET (autovacuum_enabled = off);

ALTER TABLE core.entities ALTER COLUMN updated_at DROP DEFAULT;
ALTER TABLE core.entity_phones ALTER COLUMN created_at DROP DEFAULT;
ALTER TABLE core.entity_emails ALTER COLUMN created_at DROP DEFAULT;
ALTER TABLE core.entity_addresses ALTER COLUMN created_at DROP DEFAULT;
ALTER TABLE core.addresses ALTER COLUMN created_at DROP DEFAULT;

-- The service's code for storing needs the keys and defaults that are not there yet, so it is switched off.
UPDATE core.service_settings SET value = 'none' WHERE name = 'model';
