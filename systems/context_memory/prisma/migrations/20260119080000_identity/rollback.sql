ALTER TABLE "Message" ALTER COLUMN "conversation_id" DROP NOT NULL;
DROP FUNCTION "message_of"(UUID, INTEGER);
DROP FUNCTION "customer_of"(TEXT, TEXT);
DROP FUNCTION "normalised_email"(TEXT);
DROP FUNCTION "normalised_phone"(TEXT);
