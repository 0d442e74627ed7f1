-- Rows by number, a thousand leads a block, each place of a block with its part to play; no random() and no clock, so
-- the same seed and scale give the same rows on every server. What must come of them is in counts.py.
CREATE FUNCTION pg_temp.made(kind text, n bigint) RETURNS uuid
LANGUAGE sql STABLE AS $$ SELECT md5(current_setting('generator.seed') || ':' || kind || ':' || n)::uuid $$;

CREATE FUNCTION pg_temp.leads() RETURNS bigint
LANGUAGE sql STABLE AS $$ SELECT current_setting('generator.leads')::bigint $$;

-- A subscriber's number: area code, a nine, and eight digits.
CREATE FUNCTION pg_temp.phone(n bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT (ARRAY['11', '21', '31', '41', '51', '55', '61', '71'])[1 + n % 8] || '9' || lpad((n * 7368787 % 100000000)::text, 8, '0') $$;

-- The same number, as people write it.
CREATE FUNCTION pg_temp.written(phone text, way bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
SELECT CASE way % 6
    WHEN 0 THEN phone
    WHEN 1 THEN format('(%s) %s-%s', left(phone, 2), substr(phone, 3, 5), right(phone, 4))
    WHEN 2 THEN format('+55 %s %s %s', left(phone, 2), substr(phone, 3, 5), right(phone, 4))
    WHEN 3 THEN '55' || phone
    WHEN 4 THEN format('0%s %s.%s', left(phone, 2), substr(phone, 3, 5), right(phone, 4))
    ELSE format(' 00 55 %s-%s ', left(phone, 2), substr(phone, 3))
END $$;

CREATE FUNCTION pg_temp.moment(n bigint, i bigint) RETURNS timestamp
LANGUAGE sql IMMUTABLE AS $$ SELECT timestamp '2025-03-10 09:00' + n * interval '20 seconds' + i * interval '90 seconds' $$;

INSERT INTO "User" (id, name, email)
SELECT pg_temp.made('user', n), 'Agent ' || n, 'agent' || n || '@quotes.example' FROM generate_series(1, 20) AS n;

INSERT INTO "PriceItem" (id, name, price)
SELECT pg_temp.made('price', n), 'Item ' || n, n * 12.5 FROM generate_series(1, 100) AS n;

INSERT INTO "Setting" (id, name, value)
VALUES (pg_temp.made('setting', 1), 'CONTEXT_MEMORY_ENABLED', 'false'), (pg_temp.made('setting', 2), 'currency', 'BRL');

INSERT INTO "Lead" (id, name, phone, email, status, source, "stateMetadata", "ownerId", "createdAt", "updatedAt")
SELECT pg_temp.made('lead', n),
       'Lead ' || n,
       CASE
           WHEN r < 10 THEN (ARRAY[NULL, '', 'n/a', '12345'])[1 + r % 4]
           WHEN r < 60 OR r BETWEEN 280 AND 284 OR r BETWEEN 290 AND 299 THEN NULL
           -- Of the same person as the lead a hundred places earlier, otherwise written.
           WHEN r BETWEEN 160 AND 259 THEN pg_temp.written(pg_temp.phone(n - 100), n - 100 + 1 + r % 5)
           ELSE pg_temp.written(pg_temp.phone(n), n)
       END,
       CASE
           WHEN r < 10 THEN (ARRAY['', NULL, 'none', '@'])[1 + r / 2 % 4]
           -- Of that person the half gives the same address, and the half another one.
           WHEN r BETWEEN 160 AND 259 AND r % 2 = 0 THEN upper('lead' || n - 100 || '@mail.example')
           -- The same address as a lead with another number: conflicts.
           WHEN r BETWEEN 270 AND 279 THEN ' Lead' || n - 10 || '@Mail.example'
           WHEN r BETWEEN 285 AND 289 THEN 'lead' || n - 5 || '@mail.example'
           -- The same address twice, and no number: one customer.
           WHEN r BETWEEN 295 AND 299 THEN 'LEAD' || n - 5 || '@mail.example '
           ELSE 'lead' || n || '@mail.example'
       END,
       (ARRAY['new', 'quoted', 'won', 'lost'])[1 + n % 4]::"LeadStatus",
       (ARRAY['site', 'phone', 'partner'])[1 + n % 3],
       CASE WHEN r >= 990 THEN '{}' WHEN r >= 980 THEN '[]' ELSE m.messages END,
       CASE WHEN n % 5 < 4 THEN pg_temp.made('user', 1 + n % 20) END,
       pg_temp.moment(n, 0),
       pg_temp.moment(n, 10)
FROM generate_series(0, pg_temp.leads() - 1) AS n
CROSS JOIN LATERAL (SELECT n % 1000 AS r) AS p
CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object(
        'role', (CASE WHEN r % 10 = 3 THEN ARRAY['customer', 'bot', 'tool', 'system']
                 ELSE ARRAY['user', 'assistant', 'tool', 'system'] END)[1 + i % 4],
        'content', 'Message ' || i || ' of lead ' || n,
        'at', (extract(epoch FROM pg_temp.moment(n, i)) * 1000)::bigint) ORDER BY i) AS messages
    FROM generate_series(1, CASE WHEN r < 10 THEN 2 WHEN r < 140 THEN 6 ELSE 5 END) AS i) AS m;

INSERT INTO "Quote" (id, "leadId", amount, "createdAt")
SELECT pg_temp.made('quote', n), pg_temp.made('lead', n), 100 + n % 9000, pg_temp.moment(n, 20)
FROM generate_series(0, pg_temp.leads() - 1) AS n WHERE n % 1000 BETWEEN 400 AND 699;

INSERT INTO "Job" (id, "leadId", title, "scheduledFor", "createdAt")
SELECT pg_temp.made('job', n), pg_temp.made('lead', n), 'Job ' || n, pg_temp.moment(n, 9000), pg_temp.moment(n, 30)
FROM generate_series(0, pg_temp.leads() - 1) AS n WHERE n % 1000 BETWEEN 400 AND 599;

INSERT INTO "Audit" (id, action, entity, "entityId", data, "createdAt")
SELECT pg_temp.made('audit-lead', n), 'lead.created', 'Lead', pg_temp.made('lead', n), '{}', pg_temp.moment(n, 0)
FROM generate_series(0, pg_temp.leads() - 1) AS n
UNION ALL
SELECT pg_temp.made('audit-talk', n), 'conversation.started', 'Lead', pg_temp.made('lead', n),
       jsonb_build_object('channel', (ARRAY['whatsapp', 'site', 'email'])[1 + n % 3]), pg_temp.moment(n, 1)
FROM generate_series(0, pg_temp.leads() - 1) AS n WHERE n % 1000 < 980
UNION ALL
-- Taken up again later: it is the same conversation.
SELECT pg_temp.made('audit-again', n), 'conversation.started', 'Lead', pg_temp.made('lead', n),
       jsonb_build_object('channel', 'phone'), pg_temp.moment(n, 500)
FROM generate_series(0, pg_temp.leads() - 1) AS n WHERE n % 1000 BETWEEN 300 AND 349
UNION ALL
-- Of leads that were deleted since.
SELECT pg_temp.made('audit-gone', n), 'conversation.started', 'Lead', pg_temp.made('gone', n), '{}', pg_temp.moment(n, 1)
FROM generate_series(0, pg_temp.leads() - 1) AS n WHERE n % 1000 < 5
UNION ALL
SELECT pg_temp.made('audit-job', n), 'job.created', 'Job', pg_temp.made('job', n), '{}', pg_temp.moment(n, 30)
FROM generate_series(0, pg_temp.leads() - 1) AS n WHERE n % 1000 BETWEEN 400 AND 599;

INSERT INTO "Notification" (id, "userId", text, "createdAt")
SELECT pg_temp.made('notification', n), pg_temp.made('user', 1 + n % 20), 'Lead ' || n || ' waits', pg_temp.moment(n, 5)
FROM generate_series(0, pg_temp.leads() - 1) AS n WHERE n % 10 = 0;
