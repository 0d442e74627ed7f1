-- E-mail addresses that several customers share: whose they are is for people to say.
SELECT c.email, array_agg(coalesce(c.phone, 'no phone') ORDER BY c.phone) AS phones
FROM "Customer" c WHERE c.email IS NOT NULL
GROUP BY c.email HAVING count(*) > 1
ORDER BY c.email
