"""The states of targets at a cutover and after it; everything in the caller's open transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

_MOVE = "UPDATE lockgate.sync_targets SET epoch = epoch + 1, trouble = NULL, "
_NOW = "snapshot = pg_catalog.pg_current_snapshot(), "
COMPARED = "the old model is compared once, now that it is kept in step"
TAKEN_BACK = "a cutover was taken back"


def hand_over(conn: Connection[Any], targets: Sequence[int]) -> None:
    """From now on the application owns what they fill."""
    _set(conn, "state = 'cut_over', repair = false, unseen = false, reason = NULL", targets)


def take_over(conn: Connection[Any], targets: Sequence[int], logged: Sequence[int]) -> None:
    """They follow the old model again, by a full comparison first. What only they have then is the application's own.

    :param logged: of which a log tells since the cutover what is the application's own; the rest is left over.
    """
    live = f"fingerprint = NULL, state = 'live', repair = true, reason = '{TAKEN_BACK}'"
    _set(conn, f"{_NOW} {live}, unseen = true", [target for target in targets if target not in logged])
    _set(conn, live, logged)


def get_ready(conn: Connection[Any], targets: Sequence[int]) -> None:
    """What is logged from now on is needed by a way back."""
    _set(conn, f"{_NOW} fingerprint = NULL, state = 'ready'", targets)


def wait(conn: Connection[Any], targets: Sequence[int]) -> None:
    """There was no cutover: nobody needs the logs for the way back until it is tried again."""
    _set(conn, "state = 'waiting'", [*targets], "state = 'ready'")


def go_back(conn: Connection[Any], targets: Sequence[int]) -> None:
    """The way back is open from this very transaction on.

    All is compared once: what was born in the new model is put into the old one, too.
    """
    live = f"fingerprint = NULL, state = 'live', repair = true, reason = '{COMPARED}'"
    _set(conn, f"{_NOW} {live}", targets)


def close(conn: Connection[Any], targets: Sequence[int]) -> None:
    """The old model is kept in step no more."""
    _set(conn, "state = 'closed', repair = false, reason = 'the way back was closed'", targets)


def states(conn: Connection[Any], targets: Sequence[int]) -> set[str]:
    """The states that some targets are in."""
    rows = conn.execute("SELECT DISTINCT state FROM lockgate.sync_targets WHERE id = ANY (%s)", (list(targets),))
    return {str(row[0]) for row in rows}


def _set(conn: Connection[Any], values: str, targets: Sequence[int], condition: str = "true") -> None:
    conn.execute(f"{_MOVE}{values} WHERE id = ANY (%s) AND {condition}".encode(), (list(targets),))
