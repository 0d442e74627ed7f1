-- Revision 003's downgrade takes all of this with it; this is for a phase that was interrupted before it.
DROP TRIGGER IF EXISTS documents_bridge ON public.documents;
DROP FUNCTION IF EXISTS public.documents_bridge();
DROP INDEX IF EXISTS public.idx_documents_created;
ALTER TABLE public.documents
    DROP COLUMN IF EXISTS sha256,
    DROP COLUMN IF EXISTS source,
    DROP COLUMN IF EXISTS mime_type,
    DROP COLUMN IF EXISTS file_size,
    DROP COLUMN IF EXISTS storage_uri,
    DROP COLUMN IF EXISTS extraction_type,
    DROP COLUMN IF EXISTS extraction_data,
    DROP COLUMN IF EXISTS extraction_cost,
    DROP COLUMN IF EXISTS extracted_at;
