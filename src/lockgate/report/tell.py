"""Entries of the chain as sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lockgate.ledger.chain import ChainEntry
from lockgate.report.model import Line

_TOLD_ELSEWHERE = frozenset({"digest", "plan_digest", "from", "state", "error", "where", "why", "standing", "alert"})


def lines(entries: Iterable[ChainEntry], kinds: set[str]) -> Iterator[Line]:
    """The entries of these kinds, each as a sentence."""
    return (line(entry) for entry in entries if entry.kind in kinds)


def line(entry: ChainEntry) -> Line:
    """One entry as a sentence."""
    return Line(entry.seq, entry.at, sentence(entry))


def remarkable(entry: ChainEntry) -> bool:
    """Whether the entry tells of something else than work that goes straight on."""
    said = entry.payload
    if entry.kind in {"event", "control"}:
        return True
    if entry.kind == "run":
        return said.get("state") == "ended" and said.get("outcome") != "done"
    if entry.kind in {"gate", "check"}:
        return not said.get("passed")
    return said.get("state") == "failed"


def sentence(entry: ChainEntry) -> str:
    """One entry in words."""
    said = entry.payload
    match entry.kind:
        case "approval":
            return (
                f"{said.get('by')} approved phase {entry.phase} "
                f"(plan {_short(said.get('digest'))}, schema {_short(said.get('fingerprint'))}){_shown(said)}"
            )
        case "rehearsal":
            faults = said.get("faults")
            came = f"found {len(faults)} faults" if faults else "came to its end"
            return f"the rehearsal on {said.get('server')} {came} (plan {_short(said.get('digest'))})"
        case "control":
            return f"{said.get('updated_by', 'somebody')} {_wishes(said)}"
        case "run":
            return _run(said)
        case "gate" | "check":
            again = ", asked again" if said.get("again") else ""
            verdict = "holds" if said.get("passed") else "does not hold"
            return f"{entry.kind} of {entry.phase}{again}: {said.get('asks')}: {verdict}"
        case _:
            return _state(entry)


def _state(entry: ChainEntry) -> str:
    """A phase, a step, an undo or an event: where, what, and the error if it is one."""
    said = entry.payload
    place = f"step {entry.phase}/{entry.step}: " if entry.step else f"phase {entry.phase}: " if entry.phase else ""
    words = said.get("summary") or said.get("what") or said.get("message") or said.get("event")
    state = said.get("state")
    error = ": ".join(str(said[name]) for name in ("where", "error", "why") if said.get(name))
    parts = [str(part) for part in (_undo(entry, state), words, error) if part]
    known = _TOLD_ELSEWHERE | {"summary", "what", "message", "event", "facts", "kind"}
    more = {name: value for name, value in said.items() if name not in known}
    details = f" ({flat(more)})" if more and entry.kind in {"event", "undo"} else ""
    return f"{place}{': '.join(parts)}{details}"


def _undo(entry: ChainEntry, state: object) -> object:
    if entry.kind != "undo":
        return state
    return {"undoing": "is taken back", "undone": "taken back"}.get(str(state), "taken back")


def _run(said: Mapping[str, Any]) -> str:
    command = f"`lockgate {said.get('command', 'apply')}`"
    if said.get("state") != "ended":
        return f"{command} began"
    error = f": {said['error']}" if said.get("error") else ""
    return f"{command} ended: {str(said.get('outcome')).replace('_', ' ')}{error}"


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


def flat(values: Mapping[str, Any]) -> str:
    """Names and values on one line, for people."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in pairs(values))


def pairs(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every single value with the names that lead to it; hashes are left out, they are for machines."""
    for name, value in values.items():
        if name.endswith("digest"):
            continue
        if isinstance(value, Mapping):
            yield from pairs(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield f"{prefix}{name}", "; ".join(_item(item) for item in value) or "none"
        else:
            yield f"{prefix}{name}", number(value)


def _item(value: Any) -> str:
    return " ".join(number(part) for part in value) if isinstance(value, list) else number(value)


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


def _shown(said: Mapping[str, Any]) -> str:
    codes = sorted({str(finding["code"]) for finding in said.get("findings", ())})
    return f", knowing of {', '.join(codes)}" if codes else ""


def _short(value: object) -> str:
    return f"{str(value)[:12]}..." if value else "?"
