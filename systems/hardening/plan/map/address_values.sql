-- `sp`, `São Paulo` and ` S.P.` become SP, `01310-100` becomes 01310100, and what has no form becomes NULL.
SELECT a.id, core.state_form(a.state) AS state, core.zip_code_form(a.zip_code) AS zip_code
FROM core.addresses a
