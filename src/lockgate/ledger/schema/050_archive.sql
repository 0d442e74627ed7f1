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
    archived_at   timestamptz NOT NULL,
    retain_until  timestamptz NOT NULL,
    answered_by   text CHECK (answered_by IN ('archive', 'new model')),
    view_id       oid,
    view_text     text
);
COMMENT ON TABLE lockgate.archived IS 'One row for each table that was put into the archive and not taken out again, with what was measured when nobody could write to it any more.';
COMMENT ON COLUMN lockgate.archived.content IS 'Hash of all rows, whatever their order, by the query in measured_by.';
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
