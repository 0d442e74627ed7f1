UPDATE operations.active_database SET name = 'old', since = now();
ALTER TABLE public.clients DROP CONSTRAINT IF EXISTS clients_phone_normalised;
