"""The phases of a plan as the chain tells them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lockgate.ledger.chain import ChainEntry
from lockgate.report import visible
from lockgate.report.model import Line, Phase, Step, Verdict

_FRESH = {None, "pending", "undone"}
"""What a phase was before it began; any other state was left by a run that was resumed."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What the plan was when a run last began.

    :param seq: the entry that says so; 0 where none does.
    :param phases: ``id``, ``title``, ``gates``, ``steps``, ``checks`` and ``undo`` of each phase, in order.
    """

    seq: int
    digest: str
    description: str | None
    phases: Sequence[Mapping[str, Any]]


def outline(entries: Iterable[ChainEntry]) -> Outline:
    """The plan as the latest run had it; without one, the phases that the chain names, in their order."""
    found = None
    named: dict[str, None] = {}
    for entry in entries:
        if entry.kind == "run" and entry.payload.get("phases"):
            found = entry
        if entry.phase and entry.kind == "phase":
            named[entry.phase] = None
    if found is None:
        return Outline(0, "", None, [{"id": name} for name in named])
    said = found.payload
    return Outline(found.seq, str(said.get("digest", "")), said.get("description"), said["phases"])


def collect(entries: Sequence[ChainEntry], planned: Outline, *, show_values: bool) -> Iterator[Phase]:
    """Each phase of the outline, and after them those that the chain knows and the plan no longer has."""
    names = [str(part["id"]) for part in planned.phases]
    known = {entry.phase for entry in entries if entry.kind in {"phase", "undo"} and entry.phase}
    gone = [{"id": name} for name in sorted(known - set(names))]
    for part in [*planned.phases, *gone]:
        own = [entry for entry in entries if entry.phase == part["id"]]
        yield _phase(part, own, show_values)


def _phase(part: Mapping[str, Any], entries: Sequence[ChainEntry], show_values: bool) -> Phase:
    states = [entry for entry in entries if entry.kind in {"phase", "undo"} and entry.payload.get("state")]
    last = states[-1] if states else None
    state = str(last.payload["state"]) if last else "pending"
    begun = [e for e in states if e.payload["state"] == "running" and e.payload.get("from") in _FRESH]
    since = begun[-1] if begun else None
    present = _since_undone(entries)
    asks = [*(f"gate: {ask}" for ask in part.get("gates", ())), *(f"check: {ask}" for ask in part.get("checks", ()))]
    return Phase(
        name=str(part["id"]),
        title=part.get("title"),
        state=state,
        seq=last.seq if last else None,
        at=last.at if last else None,
        started=Line(since.seq, since.at, "began") if since else None,
        asked=tuple(asks) if state in {"pending", "undone"} else (),
        gates=tuple(_verdicts(present, "gate", show_values)),
        steps=tuple(_steps(part, present)),
        checks=tuple(_verdicts(present, "check", show_values)),
        way_back=_way_back(part),
    )


def _since_undone(entries: Sequence[ChainEntry]) -> Sequence[ChainEntry]:
    """What is true of the phase as it stands: what came before its last undo is history."""
    undone = [i for i, e in enumerate(entries) if e.kind == "undo" and e.payload.get("state") == "undone"]
    return entries[undone[-1] + 1 :] if undone else entries


def _verdicts(entries: Sequence[ChainEntry], kind: str, show_values: bool) -> Iterator[Verdict]:
    """The last word on each gate or check; earlier ones stay in the chain."""
    latest: dict[str, Verdict] = {}
    facts: list[ChainEntry] = []
    for entry in entries:
        # A verdict is appended right behind the facts that it was decided on, in the same transaction.
        if entry.kind == "evidence":
            facts.append(entry)
            continue
        if entry.kind == kind:
            said = entry.payload
            hidden = not show_values and any(visible.hides(_answer(fact)) for fact in facts)
            what = f"{said.get('asks')}: {visible.HIDDEN}" if hidden and "asks" in said else str(said.get("what", ""))
            numbers = tuple(fact.seq for fact in facts)
            latest[str(said.get(kind, entry.seq))] = Verdict(
                entry.seq, entry.at, what, bool(said.get("passed")), numbers
            )
        facts = []
    yield from latest.values()


def _answer(entry: ChainEntry) -> Mapping[str, Any]:
    """What a query yielded and should have: that is said in the words of the verdict too."""
    found = entry.payload.get("result")
    return {k: v for k, v in found.items() if k in {"value", "expected"}} if isinstance(found, Mapping) else {}


def _steps(part: Mapping[str, Any], entries: Iterable[ChainEntry]) -> Iterator[Step]:
    latest: dict[str, ChainEntry] = {}
    facts: dict[str, list[int]] = {}
    for entry in entries:
        if entry.kind == "step" and entry.step:
            latest[entry.step] = entry
        elif entry.kind == "evidence" and entry.step:
            facts.setdefault(entry.step, []).append(entry.seq)
    planned = {str(step["id"]): step for step in part.get("steps", [])}
    for name in [*planned, *(name for name in latest if name not in planned)]:
        step, last = planned.get(name, {}), latest.get(name)
        said = last.payload if last else {}
        yield Step(
            seq=last.seq if last else None,
            at=last.at if last else None,
            name=name,
            kind=str(said.get("kind") or step.get("kind") or ""),
            title=step.get("title"),
            state=str(said.get("state", "pending")),
            summary=said.get("summary") or said.get("error"),
            facts=said.get("facts") or {},
            evidence=tuple(facts.get(name, ())),
        )


def _way_back(part: Mapping[str, Any]) -> str:
    sql = any(step.get("kind") == "sql" for step in part.get("steps", ()))
    if any(step.get("kind") == "drop" for step in part.get("steps", ())):
        return "none once a table is dropped: its rows are in backups"
    if part.get("undo") is None and sql:
        return "none: the plan says nothing about how its SQL is taken back"
    derived = any(step.get("kind") in {"map", "transform"} for step in part.get("steps", ()))
    migrated = any(step.get("kind") == "migrate" for step in part.get("steps", ()))
    ways = (
        "derived" if derived else "",
        "down scripts" if migrated else "",
        "the phase's own SQL" * bool(part.get("undo")),
    )
    return ", then ".join(way for way in ways if way) or "derived"
