"""What must fit together between the standing checks of a plan and its phases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lockgate.plan.document import Path
from lockgate.plan.sentences import Finding
from lockgate.plan.values import is_identifier
from lockgate.suggest import did_you_mean


def standing_findings(
    data: Any, phases: Mapping[int, str], made: Mapping[str, int], copies: frozenset[str]
) -> Iterator[Finding]:
    """All faults of the standing checks.

    :param phases: number of a phase -> its name.
    :param made: name of a mapping, transform or copy -> the number of its phase.
    :param copies: those of these names that are copies.
    """
    standing = data.get("standing") if isinstance(data, dict) else None
    checks = standing.get("checks") if isinstance(standing, dict) else None
    numbers = {name: number for number, name in phases.items()}
    seen: set[str] = set()
    for index, item in enumerate(checks if isinstance(checks, tuple) else ()):
        if not isinstance(item, dict):
            continue
        path: Path = ("standing", "checks", index)
        name = item.get("id")
        if isinstance(name, str) and name in seen:
            yield Finding((*path, "id"), f"another standing check is called `{name}` already")
        seen.add(str(name))
        yield from _phases(item, path, numbers)
        if isinstance(check := item.get("check"), dict):
            yield from _check(check, item, (*path, "check"), numbers, made, copies)


def _phases(item: Mapping[str, Any], path: Path, numbers: Mapping[str, int]) -> Iterator[Finding]:
    for key in ("from", "until"):
        said = item.get(key)
        if isinstance(said, str) and is_identifier(said) and said not in numbers:
            yield Finding((*path, key), f"no phase is called `{said}`{did_you_mean(said, numbers)}")
    first, last = (numbers.get(str(item.get(key))) for key in ("from", "until"))
    if first is not None and last is not None and last <= first:
        what = f"`{item['until']}` does not come after `{item['from']}`, so the check would never hold"
        yield Finding((*path, "until"), what)


def _check(
    check: Mapping[str, Any],
    item: Mapping[str, Any],
    path: Path,
    numbers: Mapping[str, int],
    made: Mapping[str, int],
    copies: frozenset[str],
) -> Iterator[Finding]:
    objects = check.get("objects")
    if isinstance(objects, dict) and objects.get("fires"):
        yield Finding((*path, "objects", "fires"), "a standing check only reads, and this writes to see triggers fire")
    name = check.get("reconcile")
    if not isinstance(name, str) or not is_identifier(name):
        return
    place = (*path, "reconcile")
    if name not in made:
        yield Finding(place, f"no mapping, transform or copy is called `{name}`{did_you_mean(name, made)}")
    elif name in copies:
        what = (
            "a copy cannot be a standing check: the other database, which it would read in full, is under no time limit"
        )
        yield Finding(place, what)
    elif numbers.get(str(item.get("from")), made[name]) < made[name]:
        yield Finding(place, f"`{name}` is only made after phase `{item['from']}`, from which on it would be compared")
