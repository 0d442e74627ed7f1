INSERT INTO roles (id, party_id, user_id, role_name, domain_tags, created_at)
SELECT pg_temp.id('role', n), pg_temp.id('party', 1 + n %% %(parties)s), pg_temp.id('user', 1 + n %% %(users)s),
       (ARRAY['parent', 'tenant', 'employee', 'patient', 'member'])[1 + n %% 5],
       ARRAY[(ARRAY['home', 'health', 'work', 'money'])[1 + n %% 4]], pg_temp.moment('role', n)
FROM generate_series(1, %(roles)s) AS n
