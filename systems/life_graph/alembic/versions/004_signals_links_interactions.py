"""Signals that come in, links of documents to anything, and the log of what was done."""

from alembic import op

revision = "004"
down_revision = "003"
branch_labels = None
depends_on = None

UP = (
    """
    CREATE TABLE signals (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        source varchar(50) NOT NULL CONSTRAINT ck_signals_source
            CHECK (source IN ('vision_upload', 'email', 'api', 'manual')),
        payload_json jsonb NOT NULL DEFAULT '{}',
        received_at timestamptz NOT NULL DEFAULT now(),
        status varchar(20) NOT NULL DEFAULT 'new' CONSTRAINT ck_signals_status
            CHECK (status IN ('new', 'processing', 'attached', 'archived')),
        dedupe_key varchar(255),
        extraction_id uuid REFERENCES documents (id),
        extraction_cost numeric(10,4)
    )
    """,
    "CREATE INDEX idx_signals_status ON signals (status)",
    "CREATE INDEX idx_signals_received ON signals (received_at DESC)",
    # The only unique index: a UNIQUE of the column besides would be the same once more.
    "CREATE UNIQUE INDEX idx_signals_dedupe ON signals (dedupe_key) WHERE dedupe_key IS NOT NULL",
    """
    CREATE TABLE document_links (
        document_id uuid NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
        entity_type varchar(50) NOT NULL,
        entity_id uuid NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (document_id, entity_type, entity_id)
    )
    """,
    "CREATE INDEX idx_doclinks_entity ON document_links (entity_type, entity_id)",
    # The primary key does the same; it is of the contract, and the plan's checks know of it.
    "CREATE INDEX idx_doclinks_document ON document_links (document_id)",
    """
    CREATE TABLE interactions (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        interaction_type varchar(50) NOT NULL,
        actor_type varchar(50) NOT NULL,
        actor_id uuid,
        primary_entity_type varchar(50) NOT NULL,
        primary_entity_id uuid NOT NULL,
        related_entities jsonb NOT NULL DEFAULT '[]',
        metadata jsonb NOT NULL DEFAULT '{}',
        cost numeric(10,4),
        created_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX idx_interactions_entity ON interactions (primary_entity_type, primary_entity_id)",
    "CREATE INDEX idx_interactions_type ON interactions (interaction_type)",
    "CREATE INDEX idx_interactions_created ON interactions (created_at DESC)",
    "CREATE INDEX idx_interactions_actor ON interactions (actor_id) WHERE actor_id IS NOT NULL",
    """
    CREATE FUNCTION interactions_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'interactions is append-only: % is refused', TG_OP
            USING ERRCODE = 'restrict_violation', HINT = 'Insert a row that says what changed.';
    END $$
    """,
    """
    CREATE TRIGGER interactions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON interactions
        FOR EACH STATEMENT EXECUTE FUNCTION interactions_append_only()
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for table in ("interactions", "document_links", "signals"):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION interactions_append_only()")
