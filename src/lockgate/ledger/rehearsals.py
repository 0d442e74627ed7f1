"""Rehearsals of a plan that were recorded where it is to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from lockgate.ledger import chain, schemas


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One that came to its end.

    :param digest: of the plan that was rehearsed.
    :param fingerprint: of the schema that it began from.
    :param server: what it ran on.
    :param faults: what must be mended, a line each; empty if it was good.
    :param seconds: phase and step -> how long the step would take here, as far as that can be told.
    """

    at: datetime
    digest: str
    fingerprint: str
    server: str
    faults: tuple[str, ...]
    seconds: Mapping[tuple[str, str], float]


def keep(
    conn: Connection[Any],
    plan: str,
    *,
    digest: str,
    fingerprint: str,
    schema: str,
    server: str,
    faults: tuple[str, ...],
    seconds: Mapping[tuple[str, str], float],
) -> None:
    """Record one; the parameters are those of :class:`Rehearsal`.

    :param schema: what the fingerprint is of, to tell later what has changed.
    """
    payload = {
        "digest": digest,
        "fingerprint": fingerprint,
        "server": server,
        "faults": list(faults),
        "seconds": [{"phase": phase, "step": step, "seconds": took} for (phase, step), took in seconds.items()],
    }
    with conn.transaction():
        schemas.keep(conn, fingerprint, schema)
        chain.append(conn, kind="rehearsal", plan=plan, payload=payload)


def newest(conn: Connection[Any], plan: str) -> Rehearsal | None:
    """The last one of a plan."""
    entries = chain.entries(conn, plan, kinds=["rehearsal"])
    if not entries:
        return None
    said = entries[-1].payload
    seconds = {(each["phase"], each["step"]): float(each["seconds"]) for each in said["seconds"]}
    return Rehearsal(
        entries[-1].at, said["digest"], said["fingerprint"], said["server"], tuple(said["faults"]), seconds
    )
