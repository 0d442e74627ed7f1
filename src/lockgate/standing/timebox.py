"""Sessions for one check: they only read, and end when their time is over, whatever runs on them."""

from __future__ import annotations

import threading
from datetime import timedelta

from lockgate.engine.locks import STANDING
from lockgate.engine.session import Sessions
from lockgate.errors import CheckFailed
from lockgate.plan.models import format_duration
from lockgate.usage.own import OwnConnection

_GRACE = timedelta(seconds=1)
"""A statement that is too long the server ends by itself; what consists of many is ended a moment later."""


class TimeBox(Sessions):
    """Sessions for one check. As a context manager it ends them all when the check has taken too long.

    :param limit: how long.
    :param scratch: whether it compares by temporary tables, which no READ ONLY transaction may make.
    """

    def __init__(self, sessions: Sessions, limit: timedelta, *, scratch: bool = False) -> None:
        super().__init__(sessions.dsn, sessions.settings, sessions.clock)
        self._limit = limit
        self._scratch = scratch
        self._timer = threading.Timer((limit + _GRACE).total_seconds(), self._end)
        self._timer.daemon = True
        self.over = False

    def __enter__(self) -> TimeBox:
        self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()
        self._timer.join()

    def open(
        self,
        purpose: str,
        *,
        plan_sql: bool = False,
        read_only: bool = False,
        statement_timeout: timedelta | None = None,
    ) -> OwnConnection:
        """Like those of others, but it never writes, and a runner that needs a lock knows it by its name."""
        reads = read_only or not self._scratch
        return super().open(STANDING, plan_sql=plan_sql, read_only=reads, statement_timeout=self._limit)

    def _end(self) -> None:
        self.over = True
        self.end_all(CheckFailed(f"It did not end within {format_duration(self._limit)}"))
