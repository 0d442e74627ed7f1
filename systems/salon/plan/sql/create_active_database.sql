-- Which database the assistant uses; it looks here at the beginning of each transaction.
CREATE SCHEMA operations;
CREATE TABLE operations.active_database (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    name text NOT NULL CHECK (name IN ('old', 'new')),
    since timestamptz NOT NULL
);
INSERT INTO operations.active_database (name, since) VALUES ('old', '2025-11-09 00:00:00+00');
