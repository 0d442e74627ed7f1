SELECT
    s.id,
    s.entity_id AS party_id,
    CASE WHEN s.is_whatsapp THEN 'whatsapp' ELSE 'phone' END AS contact_type,
    regexp_replace(regexp_replace(s.phone, '[^0-9]', '', 'g'), '^0*(55(?=[0-9]{10,11}$))?', '') AS value,
    s.phone,
    s.created_at
FROM core.entity_phones s
WHERE s.phone ~ '[1-9]'
