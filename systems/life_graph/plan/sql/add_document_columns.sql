-- What revision 003 adds, without the NOT NULL that a full table could not take.
ALTER TABLE public.documents
    ADD COLUMN IF NOT EXISTS sha256 varchar(64),
    ADD COLUMN IF NOT EXISTS source varchar(50),
    ADD COLUMN IF NOT EXISTS mime_type varchar(100),
    ADD COLUMN IF NOT EXISTS file_size bigint,
    ADD COLUMN IF NOT EXISTS storage_uri text,
    ADD COLUMN IF NOT EXISTS extraction_type varchar(50),
    ADD COLUMN IF NOT EXISTS extraction_data jsonb,
    ADD COLUMN IF NOT EXISTS extraction_cost numeric(10,4),
    ADD COLUMN IF NOT EXISTS extracted_at timestamptz;
