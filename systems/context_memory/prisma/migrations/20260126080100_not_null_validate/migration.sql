ALTER TABLE "Job" VALIDATE CONSTRAINT "Job_customer_id_not_null";
ALTER TABLE "Conversation" VALIDATE CONSTRAINT "Conversation_customer_id_not_null";
ALTER TABLE "Conversation" VALIDATE CONSTRAINT "Conversation_lead_id_not_null";
