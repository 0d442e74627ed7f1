SELECT coalesce(string_agg(c.oid::regclass::text, ', ' ORDER BY c.relname), 'none') AS already_there
FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND c.relname IN ('companies', 'clients', 'services', 'staff', 'staff_schedules', 'bookings', 'appointments_cache',
                    'dialog_contexts', 'reminders', 'sync_status', 'messages', 'messages_default')
