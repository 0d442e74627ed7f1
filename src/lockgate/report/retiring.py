"""What the ledger tells of retiring the old model: cutovers, backups, and time that was let pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lockgate.ledger.chain import ChainEntry
from lockgate.report.model import Backup, Handover, LetPass, Line, WayBack

_HELD, _BACK, _BACKUP, _RESTORED, _FORWARD = "held:", "way_back:", "backup:", "backup_restored:", "fast_forward"
_COPY = "backup_copy:"


def handovers(standing: Sequence[ChainEntry], entries: Sequence[ChainEntry]) -> Iterator[Handover]:
    """The cutovers that stand, in their order.

    :param standing: the facts about what was not taken back.
    """
    for held in standing:
        name = _name(held)
        if not name.startswith(_HELD):
            continue
        # Looked at once more for each try: the last look is the one that counted.
        ways = {
            _name(e): e for e in standing if e.step == held.step and _name(e).startswith(_BACK) and e.seq < held.seq
        }
        yield Handover(
            seq=held.seq,
            at=held.at,
            name=name.removeprefix(_HELD),
            phase=held.phase,
            held_ms=int(_result(held)["milliseconds"]),
            way_back=tuple(_way(each) for each in sorted(ways.values(), key=lambda e: e.seq)),
            closed=Line(closed.seq, closed.at, "") if (closed := _closed(held, entries)) else None,
        )


def backups(entries: Iterable[ChainEntry]) -> Iterator[Backup]:
    """The backups that were made, with how long the restore took that proved each."""
    made: dict[str, ChainEntry] = {}
    restored: dict[str, ChainEntry] = {}
    for entry in entries:
        name = _name(entry)
        for prefix, found in ((_BACKUP, made), (_RESTORED, restored), (_COPY, made)):
            if entry.kind == "evidence" and name.startswith(prefix):
                found[name.removeprefix(prefix)] = entry
    for number, entry in made.items():
        said, proof = _result(entry), restored.get(number)
        yield Backup(
            seq=entry.seq,
            at=entry.at,
            number=number,
            what=", ".join(said["chosen"]) or "the whole database",
            tables=len(said["tables"]),
            rows=sum(int(table["rows"]) for table in said["tables"].values()),
            restore_seconds=float(_result(proof)["restore_seconds"]) if proof else None,
            proof=proof.seq if proof else None,
            copy=_copy(said),
        )


def _copy(said: Mapping[str, Any]) -> str | None:
    if "compared" not in said:
        return None
    written = f", {said['written_meanwhile']} written meanwhile and not compared" if said["written_meanwhile"] else ""
    return f"a copy: {said['compared']} tables equal{written}"


def let_pass(entries: Iterable[ChainEntry]) -> LetPass | None:
    """The days that were let pass in a rehearsal; None where all time is real."""
    last = next((e for e in reversed(list(entries)) if e.kind == "evidence" and _name(e) == _FORWARD), None)
    return LetPass(last.seq, int(_result(last)["in_all"])) if last else None


def _way(entry: ChainEntry) -> WayBack:
    found = _result(entry)
    return WayBack(entry.seq, _name(entry).removeprefix(_BACK), int(found["added"]), int(found["kept"]))


def _closed(held: ChainEntry, entries: Sequence[ChainEntry]) -> ChainEntry | None:
    """The entry by which the way back was closed, unless that was taken back."""
    closed = None
    for entry in entries:
        if entry.seq < held.seq or entry.kind not in {"step", "undo"}:
            continue
        if entry.payload.get("kind") == "close" and entry.payload.get("state") == "done":
            closed = entry
        elif closed is not None and entry.kind == "undo" and (entry.phase, entry.step) == (closed.phase, closed.step):
            closed = None
    return closed


def _name(entry: ChainEntry) -> str:
    return str(entry.payload.get("name", ""))


def _result(entry: ChainEntry) -> Mapping[str, Any]:
    found: Mapping[str, Any] = entry.payload["result"]
    return found
