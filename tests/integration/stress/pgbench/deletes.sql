\set person random(1, :people)
\set email random(1, :people * 4)
\set party random(1, :people)
\set phone random(1, :people * 2)
\set own random(1, 1000000000)
BEGIN;
INSERT INTO old.parties VALUES (:party, :person, 'again') ON CONFLICT DO NOTHING;
SAVEPOINT here;
UPDATE old.emails SET main = NOT main, seen = seen + 1 WHERE id = :email;
ROLLBACK TO here;
DELETE FROM old.emails WHERE id = :email;
DELETE FROM old.phones WHERE id = :phone AND :own % 3 = 0;
INSERT INTO old.phones VALUES (:phone, :person, '0' || :person) ON CONFLICT (id) DO UPDATE SET person = excluded.person;
COMMIT;
