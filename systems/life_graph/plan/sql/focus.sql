SELECT id, title, priority, due_at FROM public.commitments
WHERE state = 'active' AND priority >= 50 ORDER BY priority DESC LIMIT 50
