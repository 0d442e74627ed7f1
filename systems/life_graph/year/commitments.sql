INSERT INTO commitments (id, role_id, commitment_type, title, source, counterparty_id, created_at, due_at, priority,
                         state, domain_tags)
SELECT pg_temp.id('commitment', n), pg_temp.id('role', 1 + n %% %(roles)s),
       (enum_range(NULL::commitment_type))[1 + n %% 6], 'Commitment ' || n,
       (ARRAY['email', 'doc', 'vision_extract', 'api', 'manual'])[1 + n %% 5],
       CASE WHEN n %% 2 = 0 THEN pg_temp.id('party', 1 + n %% %(parties)s) END,
       pg_temp.moment('commitment', n), pg_temp.moment('due', n) + interval '1 year',
       (pg_temp.number('priority', n) %% 101)::int,
       (enum_range(NULL::commitment_state))[(1 + pg_temp.number('state', n) %% 7)::int],
       ARRAY[(ARRAY['home', 'health', 'work', 'money'])[1 + n %% 4]]
FROM generate_series(1, %(commitments)s) AS n
