-- Primary addresses of the parties that no load made.
SELECT count(*)
FROM core.party_addresses a
JOIN core.parties p ON p.id = a.party_id
WHERE a.is_primary AND NOT (length(p.cpf_cnpj) = 11 AND p.cpf_cnpj LIKE '9%' AND p.cpf_cnpj NOT LIKE '99%')
