SELECT public.create_messages_partition(
    (date_trunc('month', now() AT TIME ZONE 'UTC') - n * interval '1 month')::date)
FROM generate_series(1, 6) AS n;
