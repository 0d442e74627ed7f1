-- No lead comes before its customer.
SELECT l.id, c.id AS customer_id
FROM public."Lead" l
JOIN public."Customer" c ON c.id = public.customer_of(l.phone, l.email)
