ANALYZE core.entities, core.entity_phones, core.entity_emails, core.entity_addresses, core.entity_relationships,
    core.entity_profiles, core.addresses, core.properties;
