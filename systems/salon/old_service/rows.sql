-- Parameters stand for numbers of rows. Each value follows from its row's number and the seed.
INSERT INTO companies (id, yclients_id, title, phone, whatsapp_phone, timezone, settings)
    SELECT n, 960000 + n, 'Salon ' || n, '7495' || 1000000 + n, '7916' || 1000000 + n, 'Europe/Moscow',
           jsonb_build_object('reminders', n %% 2 = 0)
    FROM generate_series(1, %(companies)s) AS n;

-- Every twentieth phone as its owner wrote it: 8 instead of 7, signs between the digits, or without the country.
INSERT INTO clients (id, company_id, yclients_id, telegram_id, name, phone, email, birth_date, visit_count,
                     last_visit_at, loyalty_level)
    SELECT n, 1 + n %% %(companies)s, CASE WHEN n %% 5 <> 0 THEN 7000000 + n END, CASE WHEN n %% 9 = 0 THEN 5000 + n END,
           (ARRAY['Anna', 'Олег', 'Maria', 'Ирина', 'Pavel'])[1 + (n + %(seed)s) %% 5] || ' ' || n,
           CASE n %% 60
               WHEN 0 THEN '8 (900) ' || substr(rest, 1, 3) || '-' || substr(rest, 4, 2) || '-' || substr(rest, 6, 2)
               WHEN 20 THEN '+7900' || rest
               WHEN 40 THEN '900' || rest
               ELSE '7900' || rest
           END,
           CASE WHEN n %% 3 = 0 THEN 'client' || n || '@mail.example' END, date '1970-01-01' + n %% 12000, n %% 40,
           now() - (n %% 150) * interval '1 day', (ARRAY['bronze', 'silver', 'gold', NULL])[1 + n %% 4]
    FROM (SELECT n, lpad((n * 7 + %(seed)s)::text, 7, '0') AS rest FROM generate_series(1, %(clients)s) AS n) AS x;

INSERT INTO services (id, company_id, yclients_id, title, category, price_min, price_max, duration_minutes)
    SELECT n, 1 + n %% %(companies)s, 18000000 + n, 'Service ' || n, 'Category ' || n %% 7, 500 + n * 10, 900 + n * 10,
           15 * (1 + n %% 8)
    FROM generate_series(1, %(services)s) AS n;
INSERT INTO staff (id, company_id, yclients_id, name, specialization, phone, rating)
    SELECT n, 1 + n %% %(companies)s, 2900000 + n, 'Master ' || n, 'Barber', '7901' || 1000000 + n, 3 + (n %% 20) / 10.0
    FROM generate_series(1, %(staff)s) AS n;
INSERT INTO staff_schedules (id, company_id, staff_id, work_date, starts_at, ends_at, is_working)
    SELECT n, s.company_id, s.id, current_date + (n / %(staff)s)::int, '10:00', '20:00', n %% 6 <> 0
    FROM generate_series(1, %(staff_schedules)s) AS n JOIN staff s ON s.id = 1 + n %% %(staff)s;
INSERT INTO bookings (id, company_id, client_id, service_id, staff_id, yclients_record_id, starts_at, ends_at, status,
                      price, data)
    SELECT n, c.company_id, c.id, 1 + n %% %(services)s, 1 + n %% %(staff)s, 1100000 + n,
           date_trunc('hour', now()) + (n - 10) * interval '5 hours', date_trunc('hour', now()) + (n * 5 - 49) * interval '1 hour',
           (ARRAY['new', 'confirmed', 'arrived', 'cancelled'])[1 + n %% 4], 500 + n, jsonb_build_object('comment', NULL)
    FROM generate_series(1, %(bookings)s) AS n JOIN clients c ON c.id = 1 + n * 7 %% %(clients)s;
INSERT INTO reminders (company_id, booking_id, kind, send_at)
    SELECT company_id, id, 'day_before', starts_at - interval '1 day' FROM bookings;
INSERT INTO dialog_contexts (id, company_id, client_id, phone, context)
    SELECT n, c.company_id, c.id, '7900' || lpad((c.id * 7 + %(seed)s)::text, 7, '0'), jsonb_build_object('step', n)
    FROM generate_series(1, %(dialog_contexts)s) AS n JOIN clients c ON c.id = n;

-- Of the last 150 days, the newest last.
INSERT INTO messages (id, company_id, phone, external_id, direction, status, content, created_at)
    SELECT n, 1 + (1 + k) %% %(companies)s, '7900' || lpad(((1 + k) * 7 + %(seed)s)::text, 7, '0'), 'wa' || n,
           CASE WHEN n %% 2 = 0 THEN 'incoming' ELSE 'outgoing' END, CASE WHEN n %% 2 = 1 THEN 'read' END,
           'Message ' || n || repeat(' and so on', (n %% 9)::int),
           now() - (%(messages)s - n) * (interval '150 days' / greatest(%(messages)s, 1))
    FROM (SELECT n, n * 13 %% %(clients)s AS k FROM generate_series(1, %(messages)s::bigint) AS n) AS x;
