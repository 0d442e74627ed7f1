-- Values that no form can be made of, before they are set to NULL.
CREATE TABLE quarantine.addresses AS
SELECT a.id, a.state, a.zip_code
FROM core.addresses a
WHERE (a.state IS NOT NULL AND core.state_form(a.state) IS NULL)
   OR (a.zip_code IS NOT NULL AND core.zip_code_form(a.zip_code) IS NULL);
UPDATE core.addresses a SET state = core.state_form(a.state), zip_code = core.zip_code_form(a.zip_code)
WHERE a.state IS DISTINCT FROM core.state_form(a.state) OR a.zip_code IS DISTINCT FROM core.zip_code_form(a.zip_code);
ALTER TABLE core.addresses ADD CONSTRAINT chk_addresses_zip_code CHECK (zip_code ~ '^[0-9]{8}$');
ALTER TABLE core.addresses ADD CONSTRAINT chk_addresses_state_uf CHECK (state ~ '^[A-Z]{2}$');
