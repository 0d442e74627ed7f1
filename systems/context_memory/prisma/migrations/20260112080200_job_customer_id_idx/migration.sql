CREATE INDEX CONCURRENTLY "Job_customer_id_idx" ON "Job"("customer_id");
