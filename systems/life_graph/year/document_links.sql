-- Each document to three things, each of another kind.
INSERT INTO document_links (document_id, entity_type, entity_id, created_at)
SELECT pg_temp.id('document', 1 + n %% %(documents)s), w.word,
       pg_temp.id(w.word, 1 + pg_temp.number('link', n) %% w.known), pg_temp.moment('link', n)
FROM generate_series(1, %(document_links)s) AS n,
     LATERAL (SELECT * FROM (VALUES (0, 'party', %(parties)s), (1, 'commitment', %(commitments)s),
                             (2, 'signal', %(signals)s)) AS w (place, word, known)
              WHERE w.place = (n - 1) * 3 / %(document_links)s) AS w
