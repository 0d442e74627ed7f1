"""The map of what statements do: a file for each server major, written by scripts/write_lock_map.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lockgate.effects import label
from tests.integration.effects.observe import Observed, Observer, shapes

MAPS = Path(__file__).parent / "maps"
Map = dict[str, dict[str, Any]]


def observe(dsn: str) -> tuple[int, dict[str, Observed]]:
    """The server's major, and what each statement that it has does, on a database that is prepared."""
    observer = Observer(dsn)
    try:
        return observer.major, {shape.name: observer.see(shape) for shape in shapes() if shape.since <= observer.major}
    finally:
        observer.close()


def as_map(observed: dict[str, Observed]) -> Map:
    """What was observed, as it stands in a file."""
    texts = {shape.name: shape.text for shape in shapes()}
    return {name: {"statement": texts[name], **_entry(seen)} for name, seen in observed.items()}


def read(major: int) -> Map | None:
    """The map of a major; None if nobody has written one."""
    file = MAPS / f"{major}.json"
    return json.loads(file.read_text("utf-8")) if file.exists() else None


def write(major: int, found: Map) -> Path:
    """Replace the map of a major."""
    file = MAPS / f"{major}.json"
    lines = (f" {json.dumps(name)}: {json.dumps(entry, ensure_ascii=False)}" for name, entry in found.items())
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    return file


def _entry(seen: Observed) -> dict[str, Any]:
    locks = {
        label(name): " + ".join(mode.value for mode in sorted(modes, key=str)) for name, modes in seen.locks.items()
    }
    others = {
        "rewrites": seen.rewrites,
        "empties": seen.empties,
        "rebuilds": seen.rebuilds,
        "scans": seen.scans,
    }
    return {
        "locks": dict(sorted(locks.items())),
        **{key: [label(n) for n in names] for key, names in others.items() if names},
    }
