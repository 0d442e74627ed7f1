SELECT id AS client
FROM public.clients
WHERE regexp_replace(regexp_replace(phone, '[^0-9]', '', 'g'), '^8?(?=[0-9]{10}$)', '7') !~ '^7[0-9]{10}$'
ORDER BY id LIMIT 20
