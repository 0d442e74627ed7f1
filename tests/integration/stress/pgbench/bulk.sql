-- Many rows in one statement, locked in the order of their ids; and a transaction that is given up.
\set person random(1, :people)
\set email random(1, :people * 3)
BEGIN;
UPDATE old.people SET zone = zone + 1 WHERE id IN
    (SELECT id FROM old.people WHERE id BETWEEN :person AND :person + 20 ORDER BY id FOR UPDATE);
UPDATE old.emails SET main = NOT main, note_unread = :person WHERE id IN
    (SELECT id FROM old.emails WHERE id BETWEEN :email AND :email + 20 ORDER BY id FOR UPDATE);
COMMIT;
BEGIN;
UPDATE old.emails SET address = 'never' WHERE id = :email;
ROLLBACK;
