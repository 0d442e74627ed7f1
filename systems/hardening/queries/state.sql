-- What is to be found out before, between and after: duplicates, values out of form, and a number for all rows of the
-- generator in the tables that the plan changes, whatever their order.
SELECT
    (SELECT coalesce(sum(n - 1), 0)::bigint FROM (
        SELECT count(*) AS n FROM core.entity_phones WHERE phone IS NOT NULL GROUP BY entity_id, phone HAVING count(*) > 1
     ) AS twice) AS duplicates,
    (SELECT coalesce(sum(n - 1), 0)::bigint FROM (
        SELECT count(*) AS n FROM core.entity_phones WHERE phone IS NOT NULL AND id <= %(last_phone)s
        GROUP BY entity_id, phone HAVING count(*) > 1
     ) AS twice) AS planted_duplicates,
    (SELECT count(*) FROM core.addresses WHERE state !~ '^[A-Z]{2}$') AS states,
    (SELECT count(*) FROM core.addresses WHERE zip_code !~ '^[0-9]{8}$') AS zip_codes,
    (SELECT count(*) FROM core.entity_phones WHERE phone_e164 IS NOT NULL) AS with_e164,
    (SELECT count(*) || ' ' || sum(('x' || left(md5(t::text), 15))::bit(60)::bigint)
     FROM core.entity_phones t WHERE t.id <= %(last_phone)s) AS phones,
    (SELECT count(*) || ' ' || sum(('x' || left(md5(a::text), 15))::bit(60)::bigint)
     FROM core.addresses a WHERE a.created_at < '2025-06-01') AS addresses
