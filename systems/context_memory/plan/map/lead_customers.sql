SELECT l.id, public.customer_of(l.phone, l.email) AS customer_id
FROM public."Lead" l
WHERE public.customer_of(l.phone, l.email) IS NOT NULL
