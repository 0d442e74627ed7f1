-- The caller before is called back: it has WhatsApp, and the call is noted.
WITH called AS (
    UPDATE core.entities SET metadata = metadata || jsonb_build_object('called_by', %(number)s::text), updated_at = now()
    WHERE entity_id = %(entity)s
)
UPDATE core.entity_phones SET is_whatsapp = true WHERE entity_id = %(entity)s AND phone = %(phone)s
