"""What the ledger tells of tables that are kept in the archive: what for, what was erased, and legal holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lockgate.ledger.chain import ChainEntry
from lockgate.report.model import InArchive, Line
from lockgate.report.removed import PREFIX as DROPPED

_ARCHIVED, _ERASED, _HELD, _RELEASED = "archived:", "erased:", "legal_hold:", "hold_released:"


def in_archive(standing: Sequence[ChainEntry]) -> Iterator[InArchive]:
    """The tables that are there, in the order in which they came.

    :param standing: the facts about what was not taken back.
    """
    for entry in standing:
        name = _name(entry)
        if not name.startswith(_ARCHIVED):
            continue
        table, found = name.removeprefix(_ARCHIVED), _result(entry)
        since = [each for each in standing if each.seq > entry.seq]
        if any(_name(each) in {DROPPED + table, name} for each in since):
            continue
        erased = [_result(each) for each in since if _name(each) == _ERASED + table]
        yield InArchive(
            seq=entry.seq,
            at=entry.at,
            table=table,
            rows=erased[-1]["rows_after"] if erased else found["rows"],
            bytes=found["bytes"],
            retain_until=str(found["retain_until"]),
            purpose=found.get("purpose"),
            basis=found.get("basis"),
            erased_rows=sum(each["rows"] for each in erased),
            held=tuple(_standing_holds(since, table)),
        )


def events(entries: Iterable[ChainEntry]) -> Iterator[Line]:
    """Each erasure and what became of each legal hold, in a sentence."""
    for entry in entries:
        if entry.kind == "evidence" and (said := _sentence(_name(entry), _result(entry))):
            yield Line(entry.seq, entry.at, said)


def _sentence(name: str, found: Mapping[str, Any]) -> str | None:
    if name.startswith(_ERASED):
        return (
            f"{name.removeprefix(_ERASED)}: {found['rows']} rows erased by column {found['by_column']}, "
            f"{found['rows_after']} left, by {found['erased_by']}: {found['erased_because']}"
        )
    if name.startswith(_HELD):
        return f"{name.removeprefix(_HELD)}: held by {found['held_by']}: {found['held_because']} (hold {found['hold']})"
    if name.startswith(_RELEASED):
        table = name.removeprefix(_RELEASED)
        return f"{table}: hold {found['hold']} released by {found['released_by']}: {found['released_because']}"
    return None


def _standing_holds(since: Sequence[ChainEntry], table: str) -> Iterator[str]:
    released = {_result(each)["hold"] for each in since if _name(each) == _RELEASED + table}
    for each in since:
        if _name(each) == _HELD + table and _result(each)["hold"] not in released:
            yield str(_result(each)["held_because"])


def _name(entry: ChainEntry) -> str:
    return str(entry.payload.get("name", ""))


def _result(entry: ChainEntry) -> Mapping[str, Any]:
    found = entry.payload.get("result")
    return found if isinstance(found, Mapping) else {}
