-- What the new model holds of each person: a row a party, so a person who is there twice has two.
SELECT
    p.cpf_cnpj,
    p.display_name,
    p.metadata ->> 'c2s_lead_id',
    (SELECT coalesce(jsonb_agg(jsonb_build_array(c.contact_type, c.value, c.is_primary)), '[]')
     FROM core.party_contacts c WHERE c.party_id = p.id AND c.contact_type = 'email'),
    (SELECT coalesce(jsonb_agg(jsonb_build_array(c.contact_type, c.value, c.is_primary)), '[]')
     FROM core.party_contacts c WHERE c.party_id = p.id AND c.contact_type <> 'email'),
    (SELECT coalesce(jsonb_agg(jsonb_build_array(a.address_id, a.address_type, a.is_primary, a.confidence_score::text)), '[]')
     FROM core.party_addresses a WHERE a.party_id = p.id),
    (SELECT n.raw_data FROM core.party_enrichments n WHERE n.party_id = p.id AND n.provider = %(provider)s),
    (SELECT jsonb_build_array(h.cpf, h.full_name) FROM core.people h WHERE h.party_id = p.id)
FROM core.parties p
WHERE p.cpf_cnpj = ANY (%(cpfs)s)
