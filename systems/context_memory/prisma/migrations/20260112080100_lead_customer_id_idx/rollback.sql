DROP INDEX CONCURRENTLY "Lead_customer_id_idx";
