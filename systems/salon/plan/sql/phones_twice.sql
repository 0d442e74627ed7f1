SELECT company_id, array_agg(id ORDER BY id) AS clients
FROM public.clients
GROUP BY company_id, regexp_replace(regexp_replace(phone, '[^0-9]', '', 'g'), '^8?(?=[0-9]{10}$)', '7')
HAVING count(*) > 1 LIMIT 20
