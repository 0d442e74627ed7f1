-- Values that were brought into their normal form: whose step it was, and which rows of quarantine are its own.

CREATE TABLE lockgate.normalisations (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan        text NOT NULL,
    name        text NOT NULL,
    relid       oid NOT NULL,
    key         smallint[] NOT NULL,
    definition  jsonb NOT NULL,
    UNIQUE (plan, name)
);
COMMENT ON TABLE lockgate.normalisations IS
    'Steps that normalise; lockgate.normalised_<id> has each value that one wrote, with that of before.';
COMMENT ON COLUMN lockgate.normalisations.key IS 'Numbers of the columns that tell its rows, in the order of k1, k2 and so on.';

ALTER TABLE lockgate.quarantine DROP CONSTRAINT quarantine_outcome_check,
    ADD CONSTRAINT quarantine_outcome_check CHECK (outcome IN ('merged', 'rejected', 'collides'));
COMMENT ON TABLE lockgate.quarantine IS
    'Source rows that did not arrive one to one: rejected ones whole, merged ones with the key they went into; values '
    'without a normal form, with the reason; and rows that collide under a key.';
