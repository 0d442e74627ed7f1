INSERT INTO interactions (id, interaction_type, actor_type, actor_id, primary_entity_type, primary_entity_id,
                          related_entities, cost, created_at)
SELECT pg_temp.id('interaction', n), (ARRAY['created', 'viewed', 'updated', 'linked', 'extracted'])[1 + n %% 5],
       CASE WHEN n %% 10 = 0 THEN 'system' ELSE 'user' END,
       CASE WHEN n %% 10 <> 0 THEN pg_temp.id('user', 1 + n %% %(users)s) END,
       w.word, pg_temp.id(w.word, 1 + pg_temp.number('interaction', n) %% w.known), '[]',
       CASE WHEN n %% 5 = 4 THEN (n %% 1000) / 10000.0 END, pg_temp.moment('interaction', n)
FROM generate_series(1, %(interactions)s) AS n
JOIN (VALUES (0, 'party', %(parties)s), (1, 'commitment', %(commitments)s), (2, 'document', %(documents)s))
     AS w (place, word, known) ON w.place = n %% 3
