SELECT count(*) FROM public.interactions i
WHERE NOT CASE i.primary_entity_type
    WHEN 'party' THEN EXISTS (SELECT FROM public.parties e WHERE e.id = i.primary_entity_id)
    WHEN 'role' THEN EXISTS (SELECT FROM public.roles e WHERE e.id = i.primary_entity_id)
    WHEN 'commitment' THEN EXISTS (SELECT FROM public.commitments e WHERE e.id = i.primary_entity_id)
    WHEN 'document' THEN EXISTS (SELECT FROM public.documents e WHERE e.id = i.primary_entity_id)
    WHEN 'signal' THEN EXISTS (SELECT FROM public.signals e WHERE e.id = i.primary_entity_id)
    ELSE false END
