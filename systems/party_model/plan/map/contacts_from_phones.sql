-- National digits: without the zeros before an area code, and without the country's 55 where an area code
-- and eight or nine digits follow it (55 alone is an area code).
SELECT
    p.id AS party_id,
    CASE WHEN s.is_whatsapp THEN 'whatsapp' ELSE 'phone' END AS contact_type,
    regexp_replace(regexp_replace(s.phone, '[^0-9]', '', 'g'), '^0*(55(?=[0-9]{10,11}$))?', '') AS value,
    false AS is_primary,
    s.created_at
FROM core.entity_phones s
JOIN core.entities e ON e.entity_id = s.entity_id
JOIN core.parties p ON p.id = e.entity_id
WHERE s.phone ~ '[1-9]'
