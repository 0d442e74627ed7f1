ALTER TABLE "Lead" VALIDATE CONSTRAINT "Lead_customer_id_fkey";
ALTER TABLE "Job" VALIDATE CONSTRAINT "Job_customer_id_fkey";
