-- Rows come and go; a row that was deleted may come again under its old id.
\set person random(1, :people)
\set party random(1, :people)
\set email random(1, :people * 4)
\set old random(1, :people * 4)
\set phone random(1, :people * 2)
\set code random(1, :people)
BEGIN;
DELETE FROM old.people WHERE id = :person AND :code % 5 = 0;
INSERT INTO old.people VALUES (:person, :code, NULL, 'again') ON CONFLICT DO NOTHING;
DELETE FROM old.parties WHERE id = :party AND :code % 9 = 0;
INSERT INTO old.emails VALUES (:email, :person, 'New' || :code || '@Y', :code % 2 = 0, :code)
    ON CONFLICT (id) DO UPDATE SET address = excluded.address, seen = excluded.seen;
COMMIT;
