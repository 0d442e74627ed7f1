SELECT j.id, c.id AS customer_id
FROM public."Job" j
JOIN public."Lead" l ON l.id = j."leadId"
JOIN public."Customer" c ON c.id = public.customer_of(l.phone, l.email)
