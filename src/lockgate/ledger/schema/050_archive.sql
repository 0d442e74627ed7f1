-- Tables that a plan has put aside: read-only, in a schema of their own, until their retention is over.

CREATE TABLE lockgate.archived (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan          text NOT NULL,
    phase         text NOT NULL,
    step          text NOT NULL,
    relid         oid NOT NULL,
    from_schema   text NOT NULL,
    name          text NOT NULL,
    to_schema     text NOT NULL,
    row_count     bigint NOT NULL,
    bytes         bigint NOT NULL,
    content       text NOT NULL,
    measured_by   text NOT NULL,
    why           text,
    replacement   text,
    purpose       text,
    basis         text,
    archived_at   timestamptz NOT NULL,
    retain_until  timestamptz NOT NULL,
    answered_by   text CHECK (answered_by IN ('archive', 'new model')),
    view_id       oid,
    view_text     text
);
COMMENT ON TABLE lockgate.archived IS 'One row for each table that was put into the archive and not taken out again, with what was measured when nobody could write to it any more.';
COMMENT ON COLUMN lockgate.archived.row_count IS 'As content: measured when it was archived, and anew in each transaction that erased rows.';
COMMENT ON COLUMN lockgate.archived.content IS 'Hash of all rows, whatever their order, by the query in measured_by.';
COMMENT ON COLUMN lockgate.archived.purpose IS 'What rows of people are kept for, and in basis by which right.';

CREATE TABLE lockgate.erased (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request        uuid NOT NULL,
    archived       bigint NOT NULL,
    plan           text NOT NULL,
    from_schema    text NOT NULL,
    name           text NOT NULL,
    to_schema      text NOT NULL,
    by_column      text NOT NULL,
    rows           bigint NOT NULL,
    rows_before    bigint NOT NULL,
    content_before text NOT NULL,
    rows_after     bigint NOT NULL,
    content_after  text NOT NULL,
    measured_by    text NOT NULL,
    because        text NOT NULL,
    erased_by      text NOT NULL,
    role           text NOT NULL DEFAULT current_user,
    erased_at      timestamptz NOT NULL
);
COMMENT ON TABLE lockgate.erased IS 'Append-only. One row for each table from which rows were erased, written in the transaction that erased them; never the value by which they were found, nor a hash of it, which could be guessed.';

CREATE TABLE lockgate.holds (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    archived         bigint NOT NULL,
    plan             text NOT NULL,
    from_schema      text NOT NULL,
    name             text NOT NULL,
    to_schema        text NOT NULL,
    because          text NOT NULL,
    held_by          text NOT NULL,
    held_at          timestamptz NOT NULL,
    released_because text,
    released_by      text,
    released_at      timestamptz,
    CHECK ((released_at IS NULL) = (released_by IS NULL) AND (released_at IS NULL) = (released_because IS NULL))
);
COMMENT ON COLUMN lockgate.erased.request IS 'The same for all tables from which rows were erased together.';
COMMENT ON COLUMN lockgate.erased.archived IS 'The id in lockgate.archived, where no row is left of a table that was taken out or dropped.';
COMMENT ON TABLE lockgate.holds IS 'Legal holds: while one that was not released lies on an archived table, nothing of it is erased or dropped, and it stays in the archive.';
COMMENT ON COLUMN lockgate.archived.answered_by IS 'What a view that was left at the old name reads: the archived table, or the new model. NULL: no view was left.';
COMMENT ON COLUMN lockgate.archived.view_text IS 'The view as it was left, by lockgate.text_of_view: another text is somebody else''s.';

-- Whatever the search_path of who asks, the text is the same.
CREATE FUNCTION lockgate.text_of_view(view oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS 'SELECT pg_get_viewdef(view)';

CREATE FUNCTION lockgate.refuse_archived() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: the table is archived and read-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'object_not_in_prerequisite_state', HINT = TG_ARGV[0];
END
$$;
COMMENT ON FUNCTION lockgate.refuse_archived() IS 'Grants do not bind an owner or a superuser; this does.';

CREATE TRIGGER erased_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON lockgate.erased
    FOR EACH STATEMENT EXECUTE FUNCTION lockgate.refuse_change();
-- ALWAYS: session_replication_role = replica must not switch it off.
ALTER TABLE lockgate.erased ENABLE ALWAYS TRIGGER erased_append_only;
