SELECT j.id, public.customer_of(l.phone, l.email) AS customer_id
FROM public."Job" j
JOIN public."Lead" l ON l.id = j."leadId"
WHERE public.customer_of(l.phone, l.email) IS NOT NULL
