CREATE INDEX CONCURRENTLY "Lead_customer_id_idx" ON "Lead"("customer_id");
