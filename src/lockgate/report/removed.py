"""Tables that were dropped for good, as the ledger has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lockgate.ledger.chain import ChainEntry
from lockgate.report.model import Removed

PREFIX = "dropped:"


def collect(entries: Iterable[ChainEntry]) -> Iterator[Removed]:
    """In the order in which they went; nothing of theirs is from a row."""
    for entry in entries:
        name = str(entry.payload.get("name", ""))
        if entry.kind != "evidence" or not name.startswith(PREFIX):
            continue
        found = entry.payload["result"]
        yield Removed(
            seq=entry.seq,
            at=entry.at,
            table=name.removeprefix(PREFIX),
            archived_as=found["table"],
            rows=found["rows"],
            bytes=found["bytes"],
            dependents=tuple(f"{each['kind']} {each['name']}" for each in found["dependents"]),
            backups=tuple(each["id"] for each in found["backups"]),
            erased_rows=found.get("erased_rows", 0),
            purpose=found.get("purpose"),
            basis=found.get("basis"),
        )
