-- What was acknowledged to the sales desk and is not there, a row a caller.
SELECT w.number, array_to_string(ARRAY[
    CASE WHEN e.entity_id IS NULL OR e.national_id <> w.cpf THEN 'entity' END,
    CASE WHEN e.metadata ->> 'called_by' IS DISTINCT FROM w.called_by THEN 'the call back' END,
    CASE WHEN NOT EXISTS (SELECT FROM core.entity_phones t WHERE t.entity_id = w.entity AND t.phone = w.phone
                          AND t.is_whatsapp = (w.called_by IS NOT NULL)) THEN 'phone' END,
    CASE WHEN NOT EXISTS (SELECT FROM core.entity_emails m WHERE m.entity_id = w.entity AND m.email = w.email) THEN 'e-mail' END,
    CASE WHEN NOT EXISTS (SELECT FROM core.entity_addresses l JOIN core.addresses a ON a.id = l.address_id
                          WHERE l.entity_id = w.entity AND a.id = w.address AND a.state = 'PE' AND a.zip_code = '50030230')
         THEN 'address' END,
    CASE WHEN NOT EXISTS (SELECT FROM core.entity_relationships r WHERE r.source_entity_id = w.entity) THEN 'relationship' END
], ', ') AS missing
FROM unnest(%(numbers)s::text[], %(entities)s::uuid[], %(cpfs)s::text[], %(phones)s::text[], %(emails)s::text[],
            %(addresses)s::uuid[], %(called_by)s::text[])
     AS w (number, entity, cpf, phone, email, address, called_by)
LEFT JOIN core.entities e ON e.entity_id = w.entity
