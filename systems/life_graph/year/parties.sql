INSERT INTO parties (id, kind, name, tax_id, contact_json, created_at, updated_at)
SELECT pg_temp.id('party', n), CASE WHEN n %% 3 = 0 THEN 'org' ELSE 'person' END,
       CASE WHEN n %% 3 = 0
           THEN (ARRAY['Northwind', 'Blue Harbour', 'Old Mill', 'Sankt Georg'])[1 + n %% 4] || ' '
               || (ARRAY['Insurance', 'Energy', 'Clinic', 'Schools', 'Housing'])[1 + n / 3 %% 5] || ' ' || n
           ELSE (ARRAY['Anna', 'Boris', 'Céline', 'Dmitri', 'Eva', 'Farid', 'Greta'])[1 + n %% 7] || ' '
               || (ARRAY['Müller', 'Ivanova', 'Fischer', 'Santos', 'Nowak', 'Okafor'])[1 + n / 7 %% 6] || ' ' || n END,
       CASE WHEN n %% 4 = 0 THEN lpad(n::text, 11, '0') END,
       jsonb_build_object('email', format('party%%s@example.org', n)),
       pg_temp.moment('party', n), pg_temp.moment('party', n)
FROM generate_series(1, %(parties)s) AS n
