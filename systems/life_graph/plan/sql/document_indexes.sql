CREATE UNIQUE INDEX CONCURRENTLY idx_documents_sha256 ON public.documents (sha256);
CREATE INDEX CONCURRENTLY idx_documents_source ON public.documents (source);
CREATE INDEX CONCURRENTLY idx_documents_extraction_type ON public.documents (extraction_type)
    WHERE extraction_type IS NOT NULL;
CREATE INDEX CONCURRENTLY idx_documents_created ON public.documents (created_at DESC);
