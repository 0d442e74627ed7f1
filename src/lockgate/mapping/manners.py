"""How the tool's own transactions behave beside those of the application."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

LOCK_TIMEOUT_MS = 700


def behave(conn: Connection[Any], writer: str) -> None:
    """Mark the open transaction as ``writer``'s, and have it lose every conflict with the application.

    Its statements are short and its temporary tables small: compiling them, and large samples, would not pay.

    Its waits end before the server looks for deadlocks (after ``deadlock_timeout``), so that the server never
    finds one in which the application could be the one to be cancelled.
    """
    conn.execute(
        "SELECT pg_catalog.set_config('lock_timeout', least(%s, greatest(1, (700 * extract(epoch FROM "
        "pg_catalog.current_setting('deadlock_timeout')::interval))::integer))::text, true), "
        "pg_catalog.set_config('synchronous_commit', 'off', true), "
        "pg_catalog.set_config('jit', 'off', true), pg_catalog.set_config('work_mem', '64MB', true), "
        "pg_catalog.set_config('default_statistics_target', '10', true), "
        "pg_catalog.set_config('lockgate.writer', %s, true)",
        (LOCK_TIMEOUT_MS, writer),
        prepare=True,
    )
