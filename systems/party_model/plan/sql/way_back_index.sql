-- The way back looks contacts up by the numbers that it gives them in the old model.
CREATE INDEX CONCURRENTLY idx_party_contacts_way_back ON core.party_contacts
    ((-1 - (hashtextextended(party_id::text || ' ' || contact_type || ' ' || value, 0) & 9223372036854775807)));
