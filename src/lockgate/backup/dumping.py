"""What pg_dump reads, written down as Lockgate's own: nobody but the server sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lockgate.engine.session import Sessions
from lockgate.usage.queries import load

_PATIENCE = 200
_PAUSE = 0.05  # seconds


@contextmanager
def dumping(sessions: Sessions, oids: Sequence[int]) -> Iterator[str]:
    """Let pg_dump read tables in this block, under the name that it yields.

    Until the block's end nobody knows whether the server has counted what pg_dump reads. If it fails, nobody knows what
    it did read.

    :param oids: the tables that it dumps, of partitioned ones the top.
    """
    with sessions.open("pg_dump") as conn:
        if conn.own_session is None:
            yield "lockgate:backup"
            return
        given, name = {"session": conn.own_session}, f"lockgate:dump:{conn.own_session}"
        conn.execute(load("own.expect"), {**given, "oids": list(oids)})
        try:
            yield name
        except BaseException:
            conn.execute(load("own.failed"), given)
            conn.lose()
            raise
        for _ in range(_PATIENCE):  # the server's side of it ends, and counts, a moment after the client's
            row = conn.execute(load("own.at_work"), {"name": name}).fetchone()
            if not row or not row[0]:
                break
            sessions.clock.sleep(_PAUSE)
        conn.execute(load("own.happened"), given)
