-- What came of the generator's rows; those of a load are of this year, and the generator's of the one before.
SELECT (SELECT count(*) FROM "Customer" WHERE "createdAt" < '2026-01-01') AS customers,
       (SELECT count(*) FROM "Conversation" WHERE "startedAt" < '2026-01-01') AS conversations,
       (SELECT count(*) FROM "Message" WHERE "createdAt" < '2026-01-01') AS messages,
       (SELECT count(*) FROM "Lead" WHERE "createdAt" < '2026-01-01' AND customer_id IS NOT NULL) AS leads_of_customers,
       (SELECT count(*) FROM "Job" WHERE "createdAt" < '2026-01-01' AND customer_id IS NOT NULL) AS jobs_of_customers,
       (SELECT count(*) FROM (SELECT FROM "Customer" GROUP BY email HAVING count(*) > 1 AND email IS NOT NULL) AS c) AS conflicts
