-- Where the ledger was written. What it keeps of snapshots, transaction ids and numbers of relations means nothing
-- in a database that its rows were copied into.

CREATE TABLE lockgate.home (
    singleton   boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    cluster     bigint,
    database    text NOT NULL,
    relation    oid NOT NULL,
    transaction xid,
    at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE lockgate.home IS
    'One row, which knows its own place: a dump that is restored, or replication, writes another one with the same words.';
COMMENT ON COLUMN lockgate.home.cluster IS 'The system identifier, for people; NULL where the owner may not ask for it.';
COMMENT ON COLUMN lockgate.home.relation IS 'The number that this table has, as long as it is the one that was made.';
COMMENT ON COLUMN lockgate.home.transaction IS 'xmin of this row, as long as it is the one that was written.';

CREATE FUNCTION lockgate.settle() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    identifier bigint;
BEGIN
    BEGIN
        SELECT c.system_identifier INTO identifier FROM pg_control_system() AS c;
    EXCEPTION WHEN OTHERS THEN
        identifier := NULL;
    END;
    DELETE FROM lockgate.home;
    INSERT INTO lockgate.home (cluster, database, relation)
    VALUES (identifier, current_database(), 'lockgate.home'::regclass);
    -- xmin, and not the transaction's own number: in a savepoint they differ.
    UPDATE lockgate.home SET transaction = xmin;
END
$$;
COMMENT ON FUNCTION lockgate.settle() IS
    'Says that the ledger is at home here. True only where transaction ids and numbers of relations are what they were.';
REVOKE ALL ON FUNCTION lockgate.settle() FROM PUBLIC;

SELECT lockgate.settle();
