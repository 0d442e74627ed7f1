ALTER TABLE public.documents VALIDATE CONSTRAINT ck_documents_filled;
ALTER TABLE public.documents VALIDATE CONSTRAINT ck_documents_source;
