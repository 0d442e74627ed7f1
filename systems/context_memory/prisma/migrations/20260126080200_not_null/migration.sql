-- The validated checks spare the scan.
ALTER TABLE "Job" ALTER COLUMN "customer_id" SET NOT NULL;
ALTER TABLE "Job" DROP CONSTRAINT "Job_customer_id_not_null";
ALTER TABLE "Conversation" ALTER COLUMN "customer_id" SET NOT NULL, ALTER COLUMN "lead_id" SET NOT NULL;
ALTER TABLE "Conversation" DROP CONSTRAINT "Conversation_customer_id_not_null", DROP CONSTRAINT "Conversation_lead_id_not_null";
