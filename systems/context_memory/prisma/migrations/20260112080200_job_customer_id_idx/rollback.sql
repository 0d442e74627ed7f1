DROP INDEX CONCURRENTLY "Job_customer_id_idx";
