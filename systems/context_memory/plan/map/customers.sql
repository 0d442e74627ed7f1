-- Two leads with one phone in different formats are one customer; the first lead says how the customer is called.
SELECT public.customer_of(l.phone, l.email) AS id,
       l.name,
       public.normalised_phone(l.phone) AS phone,
       public.normalised_email(l.email) AS email,
       l."createdAt"
FROM public."Lead" l
WHERE public.customer_of(l.phone, l.email) IS NOT NULL
