"""Where the revisions run: the database of LIFE_GRAPH_DATABASE, or the one that the caller hands in."""

import os

from alembic import context
from sqlalchemy import create_engine, pool

url = os.environ.get("LIFE_GRAPH_DATABASE") or context.config.get_main_option("sqlalchemy.url")
if url is None:
    raise SystemExit("Set LIFE_GRAPH_DATABASE to the database's address.")
url = url.replace("postgresql://", "postgresql+psycopg://", 1)

if context.is_offline_mode():
    context.configure(url=url, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(url, poolclass=pool.NullPool).connect() as connection:
        context.configure(connection=connection, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
