SELECT c.contact_type, c.value
FROM core.parties p
JOIN core.party_contacts c ON c.party_id = p.id
WHERE p.cpf_cnpj = %(national_id)s
ORDER BY c.contact_type, c.value
