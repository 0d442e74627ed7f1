-- Values that follow from a word, a row's number and the seed, and from nothing else.
CREATE FUNCTION pg_temp.number(word text, n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT abs(hashtextextended(word || ':' || n, current_setting('life_graph.seed')::bigint) / 2)
$$;
CREATE FUNCTION pg_temp.id(word text, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT md5(word || ':' || n || ':' || current_setting('life_graph.seed'))::uuid
$$;
-- In the year before 2026-06-01.
CREATE FUNCTION pg_temp.moment(word text, n bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT '2025-06-01 00:00+00'::timestamptz + (pg_temp.number(word || ' moment', n) % 31536000) * interval '1 second'
$$;
