"""Entries of a chain, made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from lockgate.ledger.chain import ChainEntry

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Chain:
    """Collects entries, numbered from 1, a second apart."""

    def __init__(self) -> None:
        self.entries: list[ChainEntry] = []

    def add(self, kind: str, phase: str | None = None, step: str | None = None, /, **payload: Any) -> int:
        seq = len(self.entries) + 1
        at = START + timedelta(seconds=seq)
        self.entries.append(ChainEntry(seq, at, None, kind, "p", phase, step, payload, "0" * 64, "0" * 64))
        return seq

    def evidence(self, phase: str, name: str, result: dict[str, Any], step: str | None = None) -> int:
        return self.add("evidence", phase, step, name=name, query="SELECT 1", result=result)
