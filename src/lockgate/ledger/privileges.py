"""The rights that Lockgate's roles need, as SQL for the database's administrator."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

_OPERATOR = """\
-- {operator} runs lockgate and owns its ledger, which nobody else can read: it holds rejected rows.
CREATE SCHEMA IF NOT EXISTS lockgate AUTHORIZATION {operator};
REVOKE ALL ON SCHEMA lockgate FROM PUBLIC;
-- Lets lockgate name the session that blocks a lock, and see how far replicas are behind.
GRANT pg_read_all_stats TO {operator};
"""
_APPLICATION = """\
-- {role} needs no right here: what its writes set off runs with the rights of the ledger's owner.
REVOKE ALL ON SCHEMA lockgate FROM {role};
REVOKE ALL ON ALL TABLES IN SCHEMA lockgate FROM {role};
REVOKE ALL ON ALL SEQUENCES IN SCHEMA lockgate FROM {role};
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA lockgate FROM {role};
"""


def grants(app_roles: Sequence[str], operator_role: str) -> str:
    """SQL, a statement a line, that gives the operator what the ledger needs and the application nothing.

    To be run by a superuser, or by a role that may create schemas, is a member of the operator role and may
    grant pg_read_all_stats. May be run again.
    """
    parts = [sql.SQL(_OPERATOR).format(operator=sql.Identifier(operator_role))]
    parts += [sql.SQL(_APPLICATION).format(role=sql.Identifier(role)) for role in app_roles]
    return "\n".join(part.as_string(None) for part in parts)
