"""Entries of the chain as sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lockgate.ledger.chain import ChainEntry
from lockgate.report.model import Line


def lines(entries: Iterable[ChainEntry], kinds: set[str]) -> Iterator[Line]:
    """The entries of these kinds, each as a sentence."""
    for entry in entries:
        if entry.kind in kinds:
            yield Line(entry.seq, entry.at, sentence(entry))


def sentence(entry: ChainEntry) -> str:
    """One entry in words; what it holds that is not said here stands in the evidence."""
    said = entry.payload
    match entry.kind:
        case "approval":
            return (
                f"{said.get('by')} approved phase {entry.phase} "
                f"(plan {_short(said.get('digest'))}, schema {_short(said.get('fingerprint'))})"
            )
        case "control":
            return f"{said.get('updated_by', 'somebody')} {_wishes(said)}"
        case "undo":
            return f"phase {entry.phase} {_state(said)}"
        case "run":
            return _run(said)
        case _:
            return _event(entry)


def _event(entry: ChainEntry) -> str:
    said = entry.payload
    place = " / ".join(filter(None, (entry.phase, entry.step)))
    text = said.get("what") or said.get("message") or said.get("event") or ""
    more = {name: value for name, value in said.items() if name not in {"what", "message", "event"}}
    details = f" ({flat(more)})" if more else ""
    return f"{place}: {text}{details}" if place else f"{text}{details}"


def _run(said: Mapping[str, Any]) -> str:
    who = f" on {said['host']}" if said.get("host") else ""
    outcome = f" ended: {said['outcome']}" if said.get("outcome") else " began"
    return f"`lockgate {said.get('command', 'apply')}`{who}{outcome}"


def _wishes(said: Mapping[str, Any]) -> str:
    parts = []
    if "paused" in said:
        reason = f": {said['reason']}" if said.get("reason") else ""
        parts.append(f"paused the plan{reason}" if said["paused"] else "let the plan go on")
    if "workers" in said:
        parts.append(f"set workers to {said['workers'] or 'what the plan says'}")
    if "chunk_rows" in said:
        parts.append(f"set rows a chunk to {said['chunk_rows'] or 'what the throttle finds'}")
    return " and ".join(parts) or "changed nothing"


def _state(said: Mapping[str, Any]) -> str:
    more = {name: value for name, value in said.items() if name not in {"state", "from", "digest"}}
    details = f" ({flat(more)})" if more else ""
    return f"is {said.get('state')}{details}" if said.get("state") else flat(said)


def flat(values: Mapping[str, Any]) -> str:
    """Names and values on one line, for people; nested ones joined with a dot, lists counted."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in pairs(values))


def pairs(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every single value with the names that lead to it."""
    for name, value in values.items():
        label = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from pairs(value, f"{label}.")
        elif isinstance(value, list):
            yield label, f"{len(value)} items" if any(isinstance(item, Mapping) for item in value) else _joined(value)
        else:
            yield label, number(value)


def number(value: Any) -> str:
    """A single value for people: thousands grouped, yes and no, a dash for nothing."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return str(value)


def _joined(values: list[Any]) -> str:
    return ", ".join(number(value) for value in values) or "none"


def _short(value: object) -> str:
    return f"{str(value)[:12]}..." if value else "?"
