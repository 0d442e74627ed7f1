CREATE INDEX CONCURRENTLY "Customer_phone_idx" ON "Customer"("phone");
