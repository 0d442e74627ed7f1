"""Parties, their roles for a user, and what they are committed to."""

from alembic import op

revision = "002"
down_revision = "001"
branch_labels = None
depends_on = None

UP = (
    """
    CREATE TYPE commitment_type AS ENUM
        ('obligation', 'responsibility', 'goal', 'routine', 'appointment', 'compliance')
    """,
    """
    CREATE TYPE commitment_state AS ENUM
        ('proposed', 'accepted', 'active', 'paused', 'fulfilled', 'canceled', 'delinquent')
    """,
    """
    CREATE TABLE parties (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        kind varchar(20) NOT NULL CONSTRAINT ck_parties_kind CHECK (kind IN ('person', 'org')),
        name varchar(255) NOT NULL,
        tax_id varchar(50),
        contact_json jsonb NOT NULL DEFAULT '{}',
        metadata jsonb NOT NULL DEFAULT '{}',
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX idx_parties_name_trgm ON parties USING gin (name gin_trgm_ops)",
    "CREATE INDEX idx_parties_kind ON parties (kind)",
    "CREATE INDEX idx_parties_tax_id ON parties (tax_id) WHERE tax_id IS NOT NULL",
    """
    CREATE TABLE roles (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        party_id uuid NOT NULL REFERENCES parties (id) ON DELETE CASCADE,
        user_id uuid NOT NULL,
        role_name varchar(100) NOT NULL,
        domain_tags text[] NOT NULL DEFAULT '{}',
        created_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX idx_roles_user ON roles (user_id)",
    "CREATE INDEX idx_roles_party ON roles (party_id)",
    "CREATE INDEX idx_roles_domains ON roles USING gin (domain_tags)",
    """
    CREATE TABLE commitments (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        role_id uuid NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
        commitment_type commitment_type NOT NULL,
        title varchar(500) NOT NULL,
        description text,
        source varchar(50) NOT NULL CONSTRAINT ck_commitments_source
            CHECK (source IN ('email', 'doc', 'vision_extract', 'api', 'manual')),
        counterparty_id uuid REFERENCES parties (id),
        created_at timestamptz NOT NULL DEFAULT now(),
        due_at timestamptz,
        rrule text,
        priority int NOT NULL DEFAULT 50 CONSTRAINT ck_commitments_priority CHECK (priority BETWEEN 0 AND 100),
        state commitment_state NOT NULL DEFAULT 'accepted',
        severity int,
        domain_tags text[] NOT NULL DEFAULT '{}',
        reason text,
        metadata jsonb NOT NULL DEFAULT '{}'
    )
    """,
    "CREATE INDEX idx_commitments_role ON commitments (role_id)",
    "CREATE INDEX idx_commitments_state_due ON commitments (state, due_at)",
    "CREATE INDEX idx_commitments_priority ON commitments (priority DESC)",
    "CREATE INDEX idx_commitments_domains ON commitments USING gin (domain_tags)",
    "CREATE INDEX idx_commitments_counterparty ON commitments (counterparty_id) WHERE counterparty_id IS NOT NULL",
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for table in ("commitments", "roles", "parties"):
        op.execute(f"DROP TABLE {table}")
    for type_name in ("commitment_state", "commitment_type"):
        op.execute(f"DROP TYPE {type_name}")
