-- The old model: contacts hang on people, who are found as parties by a code that both may change.
CREATE SCHEMA old;
CREATE SCHEMA new;
CREATE TABLE old.people (id int PRIMARY KEY, code int NOT NULL, zone int, note text);
CREATE TABLE old.parties (id int PRIMARY KEY, code int NOT NULL, name text);
CREATE TABLE old.zones (id int PRIMARY KEY, label text, closed boolean NOT NULL);
CREATE TABLE old.emails (id int PRIMARY KEY, person int NOT NULL, address text, main boolean NOT NULL, seen int NOT NULL, note_unread int);
CREATE TABLE old.phones (id int PRIMARY KEY, person int NOT NULL, digits text);
CREATE INDEX ON old.people (code);
CREATE INDEX ON old.people (zone);
CREATE INDEX ON old.parties (code);
CREATE INDEX ON old.emails (person);
CREATE INDEX ON old.phones (person);
CREATE TABLE new.contacts (
    party int NOT NULL, kind text NOT NULL, value text NOT NULL, main boolean, seen int, own text,
    UNIQUE (party, kind, value));
CREATE TABLE new.places (
    person int NOT NULL, zone text NOT NULL, emails boolean, PRIMARY KEY (person, zone));
-- :scale people, thrice as many e-mails; ids behind them are free for what the writers insert.
INSERT INTO old.zones SELECT n, 'zone ' || n, n % 7 = 0 FROM generate_series(1, 40) n;
INSERT INTO old.parties SELECT n, n, 'party ' || n FROM generate_series(1, {people}) n;
INSERT INTO old.people SELECT n, n, n % 45, 'x' FROM generate_series(1, {people}) n;
INSERT INTO old.emails SELECT n, 1 + n % {people}, CASE WHEN n % 50 = 0 THEN NULL ELSE ' Mail' || n % ({people} * 2) || '@X ' END,
    n % 3 = 0, n FROM generate_series(1, {people} * 3) n;
INSERT INTO old.phones SELECT n, 1 + n % {people}, CASE n % 10 WHEN 0 THEN 'none' ELSE '0' || n % {people} END
    FROM generate_series(1, {people}) n;
ANALYZE;
