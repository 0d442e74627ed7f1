"""What must fit together across a plan: names that are unique, and names that must exist.

These look at the document and not at the models, so that they find their faults in a plan that has others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from lockgate.plan.cross_standing import standing_findings
from lockgate.plan.document import Path
from lockgate.plan.files import is_sql_path
from lockgate.plan.sentences import Finding
from lockgate.plan.steps import way_back_of
from lockgate.plan.values import is_identifier, split_name
from lockgate.suggest import did_you_mean

_NUMBERED = ("analyze", "archive", "close", "constraint", "dedupe", "drop", "index", "migrate")
_PLAN_WIDE = ("map", "transform", "copy", "normalise", "measure", "cutover", "partition", "rewrite")
_REPLACING = ("partition", "rewrite")


@dataclass(frozen=True, slots=True)
class Named:
    """A step with its name; ``derived`` if the plan does not say it."""

    path: Path
    name: str
    derived: bool

    @property
    def phase(self) -> int:
        return int(self.path[1])


def named_steps(data: Any, list_key: str = "steps") -> list[Named]:
    """Every step (or, for ``undo``, every step of an undo) that has a name or gets one."""
    found = []
    for phase, index, step in _each(data, list_key):
        path = ("phases", phase, list_key, index)
        said = next((step[key] for key in (*_PLAN_WIDE, "id") if step.get(key) is not None), None)
        if said is not None:
            found += [Named(path, said, derived=False)] if isinstance(said, str) else []
        elif kind := next((kind for kind in _NUMBERED if kind in step), None):
            found.append(Named(path, f"{kind}-{index + 1}", derived=True))
        elif isinstance(step.get("sql"), str):
            sql = step["sql"].strip()
            prefix = "sql" if list_key == "steps" else "undo"
            name = PurePosixPath(sql).stem if is_sql_path(sql) else f"{prefix}-{index + 1}"
            found.append(Named(path, name, derived=True))
    return found


def cross_findings(data: Any) -> Iterator[Finding]:
    """All faults between the parts of a document."""
    phases = {index: phase["id"] for index, phase in _phases(data) if isinstance(phase.get("id"), str)}
    steps = named_steps(data)
    yield from _nothing(data)
    yield from _phase_ids(phases)
    for several in (steps, named_steps(data, "undo")):
        yield from _names_in_phase(several)
    yield from _names_in_plan(data)
    yield from _shared_targets(data)
    yield from _reasons(data)
    yield from _soaks(data, phases)
    yield from _rehearsals(data)
    yield from _reconciles(data, phases)
    yield from _closes(data)
    yield from _old_names(data)
    yield from _agains(data)
    yield from _migrates(data)
    copies = frozenset(str(step["copy"]) for _, _, step in _each(data, "steps") if "copy" in step)
    yield from standing_findings(data, phases, _made(data), copies)


def _migrates(data: Any) -> Iterator[Finding]:
    """A step that applies migrations of a folder which the plan does not name."""
    if isinstance(data, dict) and data.get("migrations") is None:
        for phase, index, step in _each(data, "steps"):
            if "migrate" in step:
                what = "the plan says nothing of a folder: write `migrations: {path: ../migrations}` at its top"
                yield Finding(("phases", phase, "steps", index, "migrate"), what)


def _nothing(data: Any) -> Iterator[Finding]:
    if isinstance(data, dict) and data.get("phases") == () and not (data.get("partitions") or data.get("standing")):
        yield Finding(("phases",), "`phases` must not be empty")


def _phase_ids(phases: Mapping[int, str]) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, name in phases.items():
        if name in seen:
            yield Finding(("phases", index, "id"), f"another phase is called `{name}` already")
        seen.add(name)


def _names_in_phase(steps: list[Named]) -> Iterator[Finding]:
    seen: set[tuple[int, str]] = set()
    for step in steps:
        if step.derived and not is_identifier(step.name):
            what = f"`{step.name}`, the name of this file, is no name for a step; give the step an `id`"
            yield Finding(step.path, what)
        elif (step.phase, step.name) in seen:
            hint = "; give one of them another `id`" if step.derived else ""
            yield Finding(step.path, f"another step of this phase is called `{step.name}` already{hint}")
        seen.add((step.phase, step.name))


def _names_in_plan(data: Any) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for phase, path, name in _plan_wide(data):
        if seen.setdefault(name, phase) != phase:
            what = f"`{name}` is the name of a step in an earlier phase; it must be unique in the plan"
            yield Finding(path, what)
    for path, name in _ways_back(data):
        if name in seen:
            yield Finding(path, f"`{name}` is the name of a step; it must be unique in the plan")
        seen[name] = path[1] if isinstance(path[1], int) else 0


def _plan_wide(data: Any) -> Iterator[tuple[int, Path, str]]:
    for phase, index, step in _each(data, "steps"):
        kind = next((kind for kind in _PLAN_WIDE if isinstance(step.get(kind), str)), None)
        if kind is not None:
            yield phase, ("phases", phase, "steps", index, kind), step[kind]


def _ways_back(data: Any) -> Iterator[tuple[Path, str]]:
    """The mappings by which a cutover is taken back, with the places of their names."""
    for phase, index, step in _each(data, "steps"):
        for kind in _REPLACING:
            if isinstance(step.get(kind), str):
                yield ("phases", phase, "steps", index, kind), way_back_of(step[kind])
        back = step.get("back")
        for number, item in enumerate(back if isinstance(back, tuple) else ()):
            if isinstance(item, dict) and isinstance(item.get("map"), str):
                yield ("phases", phase, "steps", index, "back", number, "map"), item["map"]


def _shared_targets(data: Any) -> Iterator[Finding]:
    first: dict[tuple[str, ...], tuple[Any, tuple[str, ...]]] = {}
    for phase, index, step in _each(data, "steps"):
        into, key = step.get("into"), step.get("key")
        table = split_name(into) if isinstance(into, str) else None
        if table is None or not isinstance(key, tuple) or not all(isinstance(column, str) for column in key):
            continue
        columns = tuple((split_name(column) or (column,))[0] for column in key)
        name, other = first.setdefault(table, (step.get("map"), columns))
        if columns != other:
            what = (
                f"`{name}` fills {into} too, with the key [{', '.join(other)}]; "
                "mappings into one table share one key, in the same order"
            )
            yield Finding(("phases", phase, "steps", index, "key"), what)


def _soaks(data: Any, phases: Mapping[int, str]) -> Iterator[Finding]:
    for phase, index, gate in _each(data, "before"):
        soak = gate.get("soak")
        since = soak.get("since") if isinstance(soak, dict) else None
        earlier = [name for other, name in phases.items() if other < phase]
        if isinstance(since, str) and is_identifier(since) and since not in earlier:
            what = f"no phase is called `{since}`{did_you_mean(since, earlier)}"
            if since in phases.values():
                what = f"`{since}` is not an earlier phase; time can only pass since one that comes before"
            yield Finding(("phases", phase, "before", index, "soak", "since"), what)


def _rehearsals(data: Any) -> Iterator[Finding]:
    for phase, index, gate in _each(data, "before"):
        if "rehearsed" in gate and phase > 0:
            what = "only the first phase can ask for a rehearsal: it is made of the whole plan, before that begins"
            yield Finding(("phases", phase, "before", index, "rehearsed"), what)


def _made(data: Any) -> dict[str, int]:
    """Every mapping, transform and copy, with the number of its phase."""
    return {
        step[kind]: phase
        for phase, _, step in _each(data, "steps")
        for kind in ("map", "transform", "copy", "normalise")
        if isinstance(step.get(kind), str)
    } | {name: int(path[1]) for path, name in _ways_back(data)}


def _reconciles(data: Any, phases: Mapping[int, str]) -> Iterator[Finding]:
    where = _made(data)
    for phase, index, check in _each(data, "after"):
        name = check.get("reconcile")
        if not isinstance(name, str) or not is_identifier(name) or where.get(name, phase + 1) <= phase:
            continue
        what = f"no mapping, transform, copy or normalisation is called `{name}`{did_you_mean(name, where)}"
        if name in where:
            later = phases.get(where[name], str(where[name] + 1))
            what = f"`{name}` is only made in phase `{later}`, which comes later"
        yield Finding(("phases", phase, "after", index, "reconcile"), what)


def _closes(data: Any) -> Iterator[Finding]:
    known: list[str] = []
    for phase, index, step in _each(data, "steps"):
        known += [step[kind] for kind in ("cutover", *_REPLACING) if isinstance(step.get(kind), str)]
        name = step.get("close")
        if isinstance(name, str) and is_identifier(name) and name not in known:
            what = f"no cutover before this step is called `{name}`{did_you_mean(name, known)}"
            yield Finding(("phases", phase, "steps", index, "close"), what)


def _old_names(data: Any) -> Iterator[Finding]:
    for phase, index, step in _each(data, "steps"):
        archived, views = step.get("archive"), step.get("views")
        if not isinstance(archived, tuple) or not isinstance(views, dict):
            continue
        tables = {split_name(name): name for name in archived if isinstance(name, str)}
        seen: set[tuple[str, ...]] = set()
        for name in views:
            parts = split_name(name)
            path = ("phases", phase, "steps", index, "views", name)
            if parts and parts not in tables:
                what = f"`{name}` is none of the tables that this step archives{did_you_mean(name, tables.values())}"
                yield Finding(path, what, True)
            elif parts in seen:
                yield Finding(path, f"`{name}` is named twice", True)
            seen.add(parts or ())


def _agains(data: Any) -> Iterator[Finding]:
    known: list[str] = []
    for phase, index, step in _each(data, "steps"):
        name = step.get("again")
        if isinstance(name, str) and is_identifier(name) and name not in known:
            what = f"no copy before this step is called `{name}`{did_you_mean(name, known)}"
            yield Finding(("phases", phase, "steps", index, "again"), what)
        if isinstance(step.get("copy"), str) and name is None:
            known.append(step["copy"])


def _reasons(data: Any) -> Iterator[Finding]:
    for phase, index, step in _each(data, "steps"):
        rejected, not_kept = step.get("rejected", {}), step.get("not_kept")
        if not isinstance(rejected, dict) or not isinstance(not_kept, tuple):
            continue
        for number, reason in enumerate(not_kept):
            if isinstance(reason, str) and reason not in rejected:
                what = f"`rejected` has no reason called `{reason}`{did_you_mean(reason, rejected)}"
                yield Finding(("phases", phase, "steps", index, "not_kept", number), what)


def _phases(data: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    phases = data.get("phases") if isinstance(data, dict) else None
    for index, phase in enumerate(phases if isinstance(phases, tuple) else ()):
        if isinstance(phase, dict):
            yield index, phase


def _each(data: Any, key: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """The mappings in the list ``key`` of every phase, with the places of both."""
    for number, phase in _phases(data):
        items = phase.get(key)
        for index, item in enumerate(items if isinstance(items, tuple) else ()):
            if isinstance(item, dict):
                yield number, index, item
