SELECT d.id,
       coalesce(d.sha256, encode(sha256(convert_to(d.content, 'UTF8')), 'hex')) AS sha256,
       coalesce(d.source, 'upload') AS source,
       coalesce(d.file_size, octet_length(convert_to(d.content, 'UTF8'))) AS file_size,
       coalesce(d.storage_uri, 'local://data/documents/' || encode(sha256(convert_to(d.content, 'UTF8')), 'hex'))
           AS storage_uri
FROM public.documents d
