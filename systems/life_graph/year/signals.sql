INSERT INTO signals (id, source, payload_json, received_at, status, dedupe_key, extraction_id)
SELECT pg_temp.id('signal', n), (ARRAY['vision_upload', 'email', 'api', 'manual'])[1 + n %% 4],
       jsonb_build_object('number', n), pg_temp.moment('signal', n),
       (ARRAY['new', 'processing', 'attached', 'archived'])[1 + n %% 4],
       CASE WHEN n %% 10 <> 0 THEN 'signal-' || n END,
       CASE WHEN n %% 4 = 0 THEN pg_temp.id('document', 1 + n %% %(documents)s) END
FROM generate_series(1, %(signals)s) AS n
