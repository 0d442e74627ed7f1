SELECT a.id AS address_id,
       CASE WHEN core.state_form(a.state) IS NULL THEN a.state END AS state,
       CASE WHEN core.zip_code_form(a.zip_code) IS NULL THEN a.zip_code END AS zip_code
FROM core.addresses a
WHERE (a.state IS NOT NULL AND core.state_form(a.state) IS NULL)
   OR (a.zip_code IS NOT NULL AND core.zip_code_form(a.zip_code) IS NULL)
