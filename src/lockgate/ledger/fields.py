"""The fields of a chain row, and the one text of them that its hash is taken of."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from lockgate.ledger import canonical

GENESIS = "0" * 64  # what the first row has as the hash of the row before it


@dataclass(frozen=True, slots=True)
class Fields:
    """All of a row but its hash.

    :param at: ``2026-01-31T12:00:00.000000Z``, always in UTC and with microseconds.
    :param payload: as :func:`lockgate.ledger.canonical.plain` makes it.
    :param prev: hash of the row before, hex.
    """

    seq: int
    at: str | None
    run_id: int | None
    kind: str
    plan: str
    phase: str | None
    step: str | None
    payload: canonical.Json
    prev: str | None

    def digest(self) -> str:
        """SHA-256 (hex) of the RFC 8785 canonical JSON of an object with these nine fields."""
        return sha256(
            canonical.encode(
                {
                    "seq": self.seq,
                    "at": self.at,
                    "run_id": self.run_id,
                    "kind": self.kind,
                    "plan": self.plan,
                    "phase": self.phase,
                    "step": self.step,
                    "payload": self.payload,
                    "prev": self.prev,
                }
            )
        ).hexdigest()
