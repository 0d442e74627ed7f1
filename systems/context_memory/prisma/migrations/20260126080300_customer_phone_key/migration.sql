CREATE UNIQUE INDEX CONCURRENTLY "Customer_phone_key" ON "Customer"("phone");
