"""Extensions: those that are missing and that the server has.

What was there before stays when this is taken back: the comment of an extension says whether this revision made it.
"""

from alembic import op
from sqlalchemy import text

revision = "001"
down_revision = None
branch_labels = None
depends_on = None

EXTENSIONS = ("pgcrypto", "pg_trgm", "btree_gist")
# gen_random_uuid() is the server's own since PostgreSQL 13.
CAN_BE_DONE_WITHOUT = {"pgcrypto"}
OURS = "made by life graph revision 001"


def upgrade() -> None:
    conn = op.get_bind()
    there = set(conn.scalars(text("SELECT extname FROM pg_catalog.pg_extension")))
    available = set(conn.scalars(text("SELECT name FROM pg_catalog.pg_available_extensions")))
    for name in EXTENSIONS:
        if name in there or (name in CAN_BE_DONE_WITHOUT and name not in available):
            continue
        op.execute(f"CREATE EXTENSION {name}")
        op.execute(f"COMMENT ON EXTENSION {name} IS '{OURS}'")


def downgrade() -> None:
    made = text(
        "SELECT extname FROM pg_catalog.pg_extension"
        " WHERE pg_catalog.obj_description(oid, 'pg_extension') = :ours ORDER BY extname"
    )
    for name in op.get_bind().scalars(made, {"ours": OURS}).all():
        op.execute(f"DROP EXTENSION {name}")  # refused by the server while anything else uses it
