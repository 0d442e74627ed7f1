"""Rows that the target refuses: isolated, kept with the reason, tried again; the rest goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.mapping.compiled import names
from lockgate.mapping.statements import Evaluation, key_json

# Data exceptions, violated constraints and limits, and what functions and triggers raise: trying again changes nothing
# as long as the row is what it is.
_REFUSED = ("22", "23", "38", "39", "44", "54", "P0")
_AT_ONCE = 200


def is_refusal(error: psycopg.Error) -> bool:
    """Whether the data is what is wrong, so that trying again as it is changes nothing."""
    return (error.sqlstate or "")[:2] in _REFUSED


def is_occupied(error: psycopg.Error) -> bool:
    """Whether another row has the place in a unique index, or what an exclusion constraint excludes."""
    return error.sqlstate in {"23505", "23P01"}


def split(
    conn: Connection[Any],
    low: int,
    high: int,
    work: Callable[[int, int], None],
    refused: Callable[[int, psycopg.Error], None],
) -> None:
    """Do ``work`` for the numbers from ``low`` to below ``high``; halve it where the data is refused.

    :param refused: told of each single number that is refused; everything else is done.
    """
    try:
        with conn.transaction():
            work(low, high)
    except psycopg.Error as error:
        if not is_refusal(error):
            raise
        if high - low <= 1:
            refused(low, error)
            return
        middle = (low + high) // 2
        split(conn, low, middle, work, refused)
        split(conn, middle, high, work, refused)


def keep(conn: Connection[Any], target_id: int, key: str, error: psycopg.Error) -> None:
    """Remember a refusal; ``key`` is SQL that yields a JSON object."""
    message = error.diag.message_primary or type(error).__name__
    conn.execute(
        "INSERT INTO lockgate.poison (target_id, key, error, sqlstate) "
        f"SELECT %s, {_escaped(key)}, %s, %s ON CONFLICT (target_id, key) "
        "DO UPDATE SET attempts = poison.attempts + 1, "
        "error = excluded.error, sqlstate = excluded.sqlstate, last_at = pg_catalog.clock_timestamp()".encode(),
        (target_id, message, error.sqlstate),
    )


def keep_key(conn: Connection[Any], target_id: int, evaluation: Evaluation, number: int, error: psycopg.Error) -> None:
    """Remember that the key of this number was refused."""
    keep(
        conn,
        target_id,
        f"(SELECT {key_json(evaluation.key, 'c')} FROM {evaluation.active(number, number + 1)} AS c)",
        error,
    )


def retry(conn: Connection[Any], target_id: int, evaluation: Evaluation) -> None:
    """Add the keys whose time has come to the candidates.

    That is 2, 4, 8 ... seconds after the last attempt, 5 minutes at most.
    """
    values = ", ".join(f"(p.key ->> '{c.name.replace(chr(39), chr(39) * 2)}')::{c.plain_type}" for c in evaluation.key)
    conn.execute(
        f"INSERT INTO {evaluation.candidates} ({_escaped(names(evaluation.key))}) "
        f"SELECT {_escaped(values)} FROM lockgate.poison p "
        "WHERE p.target_id = %s AND p.last_at < pg_catalog.clock_timestamp() "
        "- least(300, power(2, least(p.attempts, 10))) * interval '1 second' "
        f"ORDER BY p.last_at LIMIT {_AT_ONCE}".encode(),
        (target_id,),
    )


def forget(conn: Connection[Any], target_id: int, evaluation: Evaluation, active: str) -> None:
    """The active keys were accepted: they are poison no more."""
    conn.execute(
        "DELETE FROM lockgate.poison p WHERE p.target_id = %s AND p.key IN "
        f"(SELECT {_escaped(key_json(evaluation.key, 'c'))} FROM {active} AS c)".encode(),
        (target_id,),
    )


def _escaped(text: str) -> str:
    """SQL whose names may hold percent signs, for a statement with parameters."""
    return text.replace("%", "%%")
