CREATE INDEX CONCURRENTLY "Lead_identity_idx" ON "Lead"("customer_of"("phone", "email"));
