-- What is there of leads: in the old model, and in the new one.
SELECT l.id::text, l.phone, l.email,
       l.customer_id IS NOT DISTINCT FROM customer_of(l.phone, l.email)
           AND (l.customer_id IS NULL OR EXISTS (SELECT FROM "Customer" c WHERE c.id = l.customer_id)) AS right_customer,
       (SELECT v.customer_id IS NOT DISTINCT FROM l.customer_id FROM "Conversation" v WHERE v.lead_id = l.id) AS right_conversation,
       ARRAY(SELECT m.content FROM "Message" m WHERE m.conversation_id = l.id ORDER BY m.position) AS messages,
       ARRAY(SELECT j.id::text FROM "Job" j
             WHERE j."leadId" = l.id AND j.customer_id IS NOT DISTINCT FROM l.customer_id) AS jobs
FROM "Lead" l
WHERE l.id = ANY (%(leads)s::uuid[])
