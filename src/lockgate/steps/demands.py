"""What a phase must ask before it drops tables for good; the plan is refused without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lockgate.errors import PlanError
from lockgate.patterns import fits, split_pattern
from lockgate.plan.models import ArchiveStep, Backup, BackupGate, DropStep, Phase, UnusedGate, split_name
from lockgate.steps.base import place
from lockgate.suggest import did_you_mean

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan

Name = tuple[str, str]


def in_archive(loaded: LoadedPlan, phase: Phase, step: DropStep) -> list[Name]:
    """The names of the step's tables in the archive, in its order.

    :raises PlanError: if no earlier phase archives one, or the phase does not ask what must be asked before.
    """
    found: list[Name] = []
    for number, said in enumerate(step.drop):
        where = place(loaded, phase, step, "drop", number)
        name = _archived_as(loaded, phase, said, where)
        if name in found:
            raise PlanError(f"{said} is named twice, by its old name and by that in the archive", where=where)
        _refuse_without(phase, name, where)
        found.append(name)
    return found


def allowed(phase: Phase, name: Name) -> set[str]:
    """What the `unused` gates over a table let depend on it."""
    return {one for gate in _unused(phase, name) for one in gate.unused.allow}


def archive_only(patterns: tuple[str, ...], schema: str) -> bool:
    """Whether patterns of a backup stand for tables of the archive alone."""
    return bool(patterns) and all((parts := split_pattern(each)) and parts[0] == (schema,) for each in patterns)


def _archived_as(loaded: LoadedPlan, phase: Phase, said: str, where: str) -> Name:
    known: list[str] = []
    for earlier in loaded.plan.phases[: loaded.plan.phases.index(phase)]:
        for step in earlier.steps:
            if not isinstance(step, ArchiveStep):
                continue
            for name in step.archive:
                was = split_name(name)
                assert was is not None, "the plan's model lets no other name through"
                if split_name(said) in {was, (step.into, was[1])}:
                    return step.into, was[1]
                known.append(name)
    raise PlanError(
        f"No earlier phase of this plan archives {said}{did_you_mean(said, known)}",
        where=where,
        hint="Archive it first: `archive: [...]` with `retain: 90d`, in a phase of its own.",
    )


def _refuse_without(phase: Phase, name: Name, where: str) -> None:
    missing = list(_missing(phase, name))
    if missing:
        raise PlanError(
            f"Phase {phase.id} drops {'.'.join(name)} and does not ask enough before",
            where=where,
            why=f"It has no {', and no '.join(what for what, _ in missing)}.",
            hint="Write into its `before`: " + ", ".join(f"`{gate}`" for _, gate in missing) + ".",
        )


def _missing(phase: Phase, name: Name) -> Iterator[tuple[str, str]]:
    schema = name[0]
    written = schema if split_pattern(f"{schema}.*") == ((schema,), ("", "")) else f'"{schema}"'
    proven = [gate.backup for gate in phase.before if isinstance(gate, BackupGate) and gate.backup.restored]
    alone = [one for one in proven if archive_only(one.tables, schema)]
    if not _unused(phase, name):
        yield "`unused` gate over it by its name in the archive", f"unused: {{tables: ['{written}.*'], for: 30d}}"
    if not any(_covers(one, name) for one in proven if one not in alone):
        yield "`backup` gate (restored: true) for a last backup of more than the archive", "backup: {within: 60d}"
    if not any(_covers(one, name) for one in alone):
        gate = f"backup: {{within: 60d, tables: ['{written}.*']}}"
        yield "`backup` gate (restored: true) for a backup of nothing but the archive", gate


def _covers(wanted: Backup, name: Name) -> bool:
    return not wanted.tables or any(fits(pattern, *name) for pattern in wanted.tables)


def _unused(phase: Phase, name: Name) -> list[UnusedGate]:
    gates = [gate for gate in phase.before if isinstance(gate, UnusedGate)]
    return [gate for gate in gates if any(fits(pattern, *name) for pattern in gate.unused.tables)]
