-- Whose profile the row is, and of which provider. They come in groups of six entities with ten rows: four of one
-- provider, one of two, one of four.
CREATE FUNCTION pg_temp.profile(n bigint, profiles bigint, entities bigint, seed bigint)
RETURNS TABLE (ordinal bigint, provider bigint)
LANGUAGE sql IMMUTABLE AS $$
SELECT o.ordinal,
       CASE WHEN o.place < 4 THEN pg_temp.draw(o.ordinal, seed, 50) % 4
            WHEN o.place < 6 THEN (pg_temp.draw(o.ordinal, seed, 50) + (o.place - 4) * 2) % 4
            ELSE o.place - 6 END
FROM (SELECT (n - 1) % 10 AS place,
             (n - 1) / 10 * 6 + (ARRAY[0, 1, 2, 3, 4, 4, 5, 5, 5, 5])[1 + (n - 1) % 10] AS ordinal OFFSET 0) AS o
$$;
