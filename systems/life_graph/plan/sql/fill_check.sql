-- A check that is validated without keeping anybody out; with it SET NOT NULL need not look at a single row.
ALTER TABLE public.documents
    ADD CONSTRAINT ck_documents_filled CHECK (source IS NOT NULL AND storage_uri IS NOT NULL) NOT VALID,
    ADD CONSTRAINT ck_documents_source CHECK (source IN ('upload', 'email', 'vision_extract')) NOT VALID;
