DROP INDEX CONCURRENTLY "Customer_phone_idx";
