-- Each transaction touches each table by one statement at most, in one order: writers cannot deadlock among themselves.
\set person random(1, :people)
\set party random(1, :people)
\set email random(1, :people * 3)
\set code random(1, :people)
\set zone random(1, 45)
BEGIN;
UPDATE old.zones SET label = label || 'x', closed = NOT closed WHERE id = :zone AND :code % 10 = 0;
UPDATE old.people SET code = :code, zone = :zone WHERE id = :person;
UPDATE old.parties SET code = :code WHERE id = :party AND :code % 2 = 0;
UPDATE old.emails SET address = 'moved ' || :code || '@x', person = :person WHERE id = :email;
UPDATE old.phones SET digits = '0' || :code WHERE id = :party;
COMMIT;
