"""What the role that runs Lockgate may not do, and what would let it."""

from __future__ import annotations

import psycopg

from lockgate.errors import PrivilegeMissing


def missing(error: psycopg.Error, what: str, *, where: str, hint: str) -> PrivilegeMissing:
    """Say what the server does not allow.

    :param hint: the GRANT that helps, where the missing thing is a privilege and not row security.
    """
    message = (error.diag.message_primary or str(error)).strip()
    if "row-level security" in message:
        return PrivilegeMissing(
            f"{what}: {message}",
            where=where,
            why="a policy would hide rows, and rows that Lockgate does not see are rows that it would remove",
            hint="run Lockgate as the table's owner (without FORCE ROW LEVEL SECURITY) or as a role with BYPASSRLS",
        )
    return PrivilegeMissing(f"{what}: {message}", where=where, hint=hint)
