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
_STANDING = """\
-- {role} makes standing checks (lockgate standing), once lockgate apply has made the ledger: it sees how far the phases
-- are, writes results and appends alerts to the chain, which it cannot change. What the checks read is yours to grant.
GRANT USAGE ON SCHEMA lockgate TO {role};
GRANT SELECT ON lockgate.meta, lockgate.home, lockgate.phases, lockgate.usage_watched TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON lockgate.standing_runs, lockgate.standing_checks TO {role};
GRANT SELECT, INSERT, DELETE ON lockgate.standing_results TO {role};
GRANT SELECT (seq, hash), INSERT ON lockgate.chain TO {role};
GRANT INSERT ON lockgate.own_gaps TO {role};
GRANT SELECT, UPDATE ON lockgate.chain_head TO {role};
GRANT SELECT, INSERT, UPDATE ON lockgate.own_sessions, lockgate.own_work TO {role};
"""


def grants(app_roles: Sequence[str], operator_role: str, standing_roles: Sequence[str] = ()) -> str:
    """SQL, a statement a line, that gives the operator what the ledger needs and the application nothing.

    Those who make standing checks get what these need, of a ledger that is there.

    To be run by a superuser, or by a role that may create schemas, is a member of the operator role and may
    grant pg_read_all_stats. May be run again.
    """
    parts = [sql.SQL(_OPERATOR).format(operator=sql.Identifier(operator_role))]
    parts += [sql.SQL(_APPLICATION).format(role=sql.Identifier(role)) for role in app_roles]
    parts += [sql.SQL(_STANDING).format(role=sql.Identifier(role)) for role in standing_roles]
    return "\n".join(part.as_string(None) for part in parts)
