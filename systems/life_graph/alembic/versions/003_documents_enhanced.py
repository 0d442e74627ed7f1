"""Where a document is stored, where it came from, and what was extracted from it.

The table is full and in use. The plan therefore adds the columns, fills them in batches and builds the indexes before
this revision, which finds them there and only makes them NOT NULL, without a scan. Run by `alembic upgrade` alone it
does the same by itself, in one transaction.
"""

from alembic import op
from sqlalchemy import text

revision = "003"
down_revision = "002"
branch_labels = None
depends_on = None

COLUMNS = {
    "sha256": "varchar(64)",
    "source": "varchar(50)",
    "mime_type": "varchar(100)",
    "file_size": "bigint",
    "storage_uri": "text",
    "extraction_type": "varchar(50)",
    "extraction_data": "jsonb",
    "extraction_cost": "numeric(10,4)",
    "extracted_at": "timestamptz",
}
# What a document of before was: an upload, stored under the hash of its content.
FILL = """
    UPDATE documents SET
        sha256 = encode(sha256(convert_to(content, 'UTF8')), 'hex'),
        source = coalesce(source, 'upload'),
        file_size = octet_length(convert_to(content, 'UTF8')),
        storage_uri = 'local://data/documents/' || encode(sha256(convert_to(content, 'UTF8')), 'hex')
    WHERE source IS NULL OR storage_uri IS NULL
"""
INDEXES = (
    "CREATE UNIQUE INDEX IF NOT EXISTS idx_documents_sha256 ON documents (sha256)",
    "CREATE INDEX IF NOT EXISTS idx_documents_source ON documents (source)",
    "CREATE INDEX IF NOT EXISTS idx_documents_extraction_type ON documents (extraction_type)"
    " WHERE extraction_type IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS idx_documents_created ON documents (created_at DESC)",
)
HAS_CHECK = """
    SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint
    WHERE conrelid = 'documents'::regclass AND conname = 'ck_documents_source')
"""


def upgrade() -> None:
    added = ", ".join(f"ADD COLUMN IF NOT EXISTS {name} {type_name}" for name, type_name in COLUMNS.items())
    op.execute(f"ALTER TABLE documents {added}")
    op.execute(FILL)
    if not op.get_bind().scalar(text(HAS_CHECK)):
        op.execute(
            "ALTER TABLE documents ADD CONSTRAINT ck_documents_source"
            " CHECK (source IN ('upload', 'email', 'vision_extract'))"
        )
    op.execute("ALTER TABLE documents ALTER COLUMN source SET NOT NULL, ALTER COLUMN storage_uri SET NOT NULL")
    # The plan's own constraint, by which the server knew that there is no NULL.
    op.execute("ALTER TABLE documents DROP CONSTRAINT IF EXISTS ck_documents_filled")
    for statement in INDEXES:
        op.execute(statement)


def downgrade() -> None:
    # The plan's bridge for the application of before writes these columns.
    op.execute("DROP TRIGGER IF EXISTS documents_bridge ON documents")
    op.execute("DROP FUNCTION IF EXISTS documents_bridge()")
    op.execute("DROP INDEX idx_documents_created")
    # With its columns each other index goes, and the check.
    op.execute(f"ALTER TABLE documents {', '.join(f'DROP COLUMN {name}' for name in reversed(COLUMNS))}")
