"""The other migration tool of a plan, and the files of it that an approval of the plan covers."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from lockgate.errors import PlanError, UsageError
from lockgate.history import detect
from lockgate.history.base import Migration, Tool
from lockgate.history.files import installed
from lockgate.history.naming import found
from lockgate.plan.models import MigrateStep, Plan
from lockgate.plan.values import split_name


def opened(plan: Plan, folder: Path, where: Callable[..., str]) -> Tool:
    """The tool of a plan that has ``migrate`` steps.

    :param folder: the plan's.
    :param where: the place in the plan of a path of keys.
    :raises PlanError: if the migrations' folder is not there, or it cannot be told whose it is.
    """
    said = plan.migrations
    assert said is not None, "a plan with migrate steps has it"
    parts = split_name(said.table) if said.table is not None else None
    try:
        return detect.opened(folder / said.path, said.tool, (parts[0], parts[1]) if parts else None)
    except UsageError as error:
        why = ": ".join(filter(None, (error.where, error.why))) or None
        raise PlanError(error.what, where=where("migrations"), why=why, hint=error.hint) from None


def file_hashes(plan: Plan, folder: Path, where: Callable[..., str]) -> dict[str, str]:
    """Path from the plan's folder -> SHA-256 of the bytes, of every file up to the last one that a step names.

    A file that sorts behind that is no part of the plan: the team may add it while the plan is under way.

    :param where: the place in the plan of a path of keys.
    :raises PlanError: if the folder is not there, cannot be told whose it is, or lacks a version.
    """
    steps = [
        (step, ("phases", i, "steps", j, "migrate"))
        for i, phase in enumerate(plan.phases)
        for j, step in enumerate(phase.steps)
        if isinstance(step, MigrateStep)
    ]
    if not steps:
        return {}
    known = list(opened(plan, folder, where).migrations())
    last = max(known.index(found(known, step.migrate, where(*path))) for step, path in steps)
    names = sorted({file for migration in known[: last + 1] for file in _files(migration)})
    return {Path(os.path.relpath(name, folder)).as_posix(): _hash(name) for name in names}


def _files(migration: Migration) -> Iterator[str]:
    """What of a migration is the team's own: what came with a package is elsewhere on each machine."""
    if not installed(migration.path):
        yield str(migration.path)
    yield from (script.source.file for script in (migration.up, migration.down) if script is not None)


def _hash(name: str) -> str:
    return hashlib.sha256(Path(name).read_bytes()).hexdigest()
