-- 8 (900) 123-45-67, +79001234567 and 9001234567 are 79001234567.
SELECT c.id,
       regexp_replace(regexp_replace(c.phone, '[^0-9]', '', 'g'), '^8?(?=[0-9]{10}$)', '7')::varchar(20) AS phone
FROM public.clients c
