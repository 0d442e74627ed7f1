ALTER TABLE "Conversation" DROP CONSTRAINT IF EXISTS "Conversation_lead_id_not_null";
ALTER TABLE "Conversation" DROP CONSTRAINT IF EXISTS "Conversation_customer_id_not_null";
ALTER TABLE "Job" DROP CONSTRAINT IF EXISTS "Job_customer_id_not_null";
