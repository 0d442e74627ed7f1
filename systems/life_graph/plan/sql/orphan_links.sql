SELECT count(*) FROM public.document_links l
WHERE NOT CASE l.entity_type
    WHEN 'party' THEN EXISTS (SELECT FROM public.parties e WHERE e.id = l.entity_id)
    WHEN 'role' THEN EXISTS (SELECT FROM public.roles e WHERE e.id = l.entity_id)
    WHEN 'commitment' THEN EXISTS (SELECT FROM public.commitments e WHERE e.id = l.entity_id)
    WHEN 'signal' THEN EXISTS (SELECT FROM public.signals e WHERE e.id = l.entity_id)
    WHEN 'interaction' THEN EXISTS (SELECT FROM public.interactions e WHERE e.id = l.entity_id)
    ELSE false END
