ALTER TABLE public.clients
    ADD CONSTRAINT clients_phone_normalised CHECK (phone ~ '^7[0-9]{10}$') NOT VALID;
ALTER TABLE public.clients VALIDATE CONSTRAINT clients_phone_normalised;
