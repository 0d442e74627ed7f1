-- The release of before writes none of them: what it uploads is stored as it always was.
CREATE OR REPLACE FUNCTION public.documents_bridge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.sha256 := coalesce(NEW.sha256, encode(sha256(convert_to(NEW.content, 'UTF8')), 'hex'));
    NEW.source := coalesce(NEW.source, 'upload');
    NEW.file_size := coalesce(NEW.file_size, octet_length(convert_to(NEW.content, 'UTF8')));
    NEW.storage_uri := coalesce(NEW.storage_uri, 'local://data/documents/' || NEW.sha256);
    RETURN NEW;
END $$;
CREATE TRIGGER documents_bridge BEFORE INSERT ON public.documents
    FOR EACH ROW EXECUTE FUNCTION public.documents_bridge();
