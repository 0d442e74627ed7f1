-- The application writes the new table as well: rows of its own, and rows that the mapping decides about.
\set party random(1, :people)
\set own random(1, 1000000000)
BEGIN;
INSERT INTO new.contacts VALUES (:party, 'own', 'own ' || :own || ' ' || :client_id, true, 1, 'app') ON CONFLICT DO NOTHING;
UPDATE new.contacts SET seen = -1, own = 'app' WHERE (party, kind, value) IN
    (SELECT party, kind, value FROM new.contacts WHERE party = :party AND kind = 'email'
     ORDER BY party, kind, value LIMIT 1 FOR UPDATE);
COMMIT;
