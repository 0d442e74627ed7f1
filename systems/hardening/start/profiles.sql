-- Whose profile the row is, and of which provider: an entity has one profile, or two.
CREATE FUNCTION pg_temp.profile(n bigint, profiles bigint, entities bigint, seed bigint)
RETURNS TABLE (ordinal bigint, provider bigint)
LANGUAGE sql IMMUTABLE AS $$
SELECT o.ordinal, (pg_temp.draw(o.ordinal, seed, 50) + 2 * o.second::int) % 4
FROM (SELECT (n - 1) * entities / profiles AS ordinal,
             n > 1 AND (n - 2) * entities / profiles = (n - 1) * entities / profiles AS second OFFSET 0) AS o
$$;
