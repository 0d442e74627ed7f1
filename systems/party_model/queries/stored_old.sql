-- What the old model holds of each person.
SELECT
    e.national_id,
    e.name,
    e.metadata ->> 'c2s_lead_id',
    (SELECT coalesce(jsonb_agg(jsonb_build_array(m.email, m.is_primary)), '[]')
     FROM core.entity_emails m WHERE m.entity_id = e.entity_id),
    (SELECT coalesce(jsonb_agg(jsonb_build_array(t.phone, t.is_whatsapp)), '[]')
     FROM core.entity_phones t WHERE t.entity_id = e.entity_id),
    (SELECT coalesce(jsonb_agg(jsonb_build_array(a.address_id, a.address_type, a.is_primary)), '[]')
     FROM core.entity_addresses a WHERE a.entity_id = e.entity_id),
    (SELECT s.payload FROM core.entity_profiles s WHERE s.entity_id = e.entity_id AND s.provider = %(provider)s)
FROM core.entities e
WHERE e.national_id = ANY (%(cpfs)s)
