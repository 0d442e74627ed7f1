-- Batch 2: who is who. One place for the rule: the backfill and the application both ask these functions.

-- The subscriber's number with its area code, whatever stands around it; NULL if it is none.
CREATE FUNCTION "normalised_phone"("raw" TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN substring(regexp_replace("raw", '[^0-9]', '', 'g') FROM '^(?:00)?(?:55)?0?([1-9][0-9]{9,10})$');

CREATE FUNCTION "normalised_email"("raw" TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN "raw" ~ '^\s*[^@\s]+@[^@\s]+\s*$' THEN lower(btrim("raw")) END;

-- Identity: the normalised phone, else the normalised e-mail; NULL without either.
CREATE FUNCTION "customer_of"("phone" TEXT, "email" TEXT) RETURNS UUID LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5(coalesce('phone:' || "normalised_phone"("phone"), 'email:' || "normalised_email"("email")))::uuid;

-- A message's key, the same whoever writes it.
CREATE FUNCTION "message_of"("conversation" UUID, "position" INTEGER) RETURNS UUID LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5("conversation"::text || ':' || "position"::text)::uuid;

-- What orders the messages of a conversation must be there; the table is empty.
ALTER TABLE "Message" ALTER COLUMN "conversation_id" SET NOT NULL;
