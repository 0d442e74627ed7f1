-- A lead's conversation began when the audit log first says so. It has the lead's id.
SELECT l.id,
       c.id AS customer_id,
       l.id AS lead_id,
       a.data ->> 'channel' AS channel,
       a."createdAt" AS "startedAt"
FROM public."Audit" a
JOIN public."Lead" l ON l.id = a."entityId"
JOIN public."Customer" c ON c.id = public.customer_of(l.phone, l.email)
WHERE a.action = 'conversation.started'
