SELECT 'email' AS contact_type, lower(btrim(m.email)) AS value
FROM core.entities e
JOIN core.entity_emails m ON m.entity_id = e.entity_id
WHERE e.national_id = %(national_id)s AND position('@' IN m.email) > 0
UNION
SELECT CASE WHEN t.is_whatsapp THEN 'whatsapp' ELSE 'phone' END,
       regexp_replace(regexp_replace(t.phone, '[^0-9]', '', 'g'), '^0*(55(?=[0-9]{10,11}$))?', '')
FROM core.entities e
JOIN core.entity_phones t ON t.entity_id = e.entity_id
WHERE e.national_id = %(national_id)s AND t.phone ~ '[1-9]'
ORDER BY contact_type, value
