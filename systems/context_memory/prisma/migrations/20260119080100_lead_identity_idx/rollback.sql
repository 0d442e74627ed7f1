DROP INDEX CONCURRENTLY "Lead_identity_idx";
