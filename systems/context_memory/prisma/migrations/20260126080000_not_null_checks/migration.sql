-- Every row has a value by now: new ones must, and the old ones are looked at without a lock that anybody waits for.
ALTER TABLE "Job" ADD CONSTRAINT "Job_customer_id_not_null" CHECK ("customer_id" IS NOT NULL) NOT VALID;
ALTER TABLE "Conversation" ADD CONSTRAINT "Conversation_customer_id_not_null" CHECK ("customer_id" IS NOT NULL) NOT VALID;
ALTER TABLE "Conversation" ADD CONSTRAINT "Conversation_lead_id_not_null" CHECK ("lead_id" IS NOT NULL) NOT VALID;
