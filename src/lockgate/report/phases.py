"""The phases of a plan as the chain tells them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lockgate.ledger.chain import ChainEntry
from lockgate.report.model import Line, Phase, Step, Verdict

_BEGUN = {"running"}


@dataclass(frozen=True, slots=True)
class Outline:
    """What the plan was when a run last began.

    :param seq: the entry that says so.
    :param phases: ``id``, ``title`` and ``steps`` (``id``, ``kind``, ``title``) of each phase, in order.
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


def collect(entries: Sequence[ChainEntry], planned: Outline) -> Iterator[Phase]:
    """Each phase of the outline, and after them those that the chain knows and the plan no longer has."""
    names = [str(part["id"]) for part in planned.phases]
    known = {entry.phase for entry in entries if entry.kind in {"phase", "undo"} and entry.phase}
    gone = [{"id": name} for name in sorted(known - set(names))]
    for part in [*planned.phases, *gone]:
        own = [entry for entry in entries if entry.phase == part["id"]]
        yield _phase(part, own)


def _phase(part: Mapping[str, Any], entries: Sequence[ChainEntry]) -> Phase:
    states = [entry for entry in entries if entry.kind in {"phase", "undo"} and entry.payload.get("state")]
    last = states[-1] if states else None
    begun = [
        entry
        for entry in states
        if entry.payload["state"] in _BEGUN and entry.payload.get("from") in {None, "pending", "undone"}
    ]
    since = begun[-1] if begun else None
    return Phase(
        name=str(part["id"]),
        title=part.get("title"),
        state=str(last.payload["state"]) if last else "pending",
        seq=last.seq if last else None,
        at=last.at if last else None,
        started=Line(since.seq, since.at, "began") if since else None,
        gates=tuple(_verdicts(entries, "gate")),
        steps=tuple(_steps(part, entries)),
        checks=tuple(_verdicts(entries, "check")),
    )


def _verdicts(entries: Iterable[ChainEntry], kind: str) -> Iterator[Verdict]:
    """The last word on each gate or check; earlier ones stay in the chain."""
    latest: dict[str, ChainEntry] = {}
    for entry in entries:
        if entry.kind == kind:
            latest[str(entry.payload.get(kind, entry.payload.get("name", entry.seq)))] = entry
    for entry in latest.values():
        said = entry.payload
        yield Verdict(entry.seq, entry.at, str(said.get("what", "")), bool(said.get("passed")))


def _steps(part: Mapping[str, Any], entries: Iterable[ChainEntry]) -> Iterator[Step]:
    latest: dict[str, ChainEntry] = {}
    for entry in entries:
        if entry.kind == "step" and entry.step:
            latest[entry.step] = entry
        elif entry.kind == "undo" and entry.payload.get("state") == "undone":
            latest.clear()
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
            summary=said.get("summary"),
            facts=said.get("facts") or {},
        )
