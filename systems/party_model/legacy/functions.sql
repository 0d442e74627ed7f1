-- What the loads share. Everything is a function of the row number and the seed, with no random() and no
-- clock, so the same seed and scale give the same rows on every server.

-- A number from 0 to 2^63 - 1; salt keeps the draws of one row apart.
CREATE FUNCTION pg_temp.draw(n bigint, seed bigint, salt integer) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$ SELECT hashint8extended(n, seed * 1000 + salt) & 9223372036854775807 $$;

CREATE FUNCTION pg_temp.entity(n bigint, seed bigint) RETURNS uuid
LANGUAGE sql IMMUTABLE AS $$ SELECT md5(seed::text || ':entity:' || n::text)::uuid $$;

CREATE FUNCTION pg_temp.address(n bigint, seed bigint) RETURNS uuid
LANGUAGE sql IMMUTABLE AS $$ SELECT md5(seed::text || ':address:' || n::text)::uuid $$;

CREATE FUNCTION pg_temp.property(n bigint, seed bigint) RETURNS uuid
LANGUAGE sql IMMUTABLE AS $$ SELECT md5(seed::text || ':property:' || n::text)::uuid $$;

-- A moment in the years 2021 to 2024, by the second.
CREATE FUNCTION pg_temp.moment(drawn bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE AS $$ SELECT to_timestamp(1609459200 + drawn % 126230400) $$;

-- The number of the entity that a contact row belongs to: one row in twenty goes to a few entities that
-- collect many, the others spread over seven tenths, so that three tenths have none.
CREATE FUNCTION pg_temp.holder(drawn bigint, entities bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
SELECT 1 + 7919 * CASE WHEN drawn % 20 = 0 THEN drawn / 20 % (1 + entities / 500)
                       ELSE drawn / 20 % (1 + entities * 7 / 10) END % entities
$$;

-- The number of an entity with profiles: one of each `stride` has some; ordinal counts them from 0.
CREATE FUNCTION pg_temp.profiled(ordinal bigint, stride bigint, seed bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$ SELECT 1 + ordinal * stride + pg_temp.draw(ordinal, seed, 90) % stride $$;
