"""What is linted: loose files, folders of other migration tools, and plans.

Only what is needed is imported: loose files need neither the driver nor the plan's models.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lockgate.errors import UsageError
from lockgate.lint import loose
from lockgate.lint.texts import Batch, Text
from lockgate.textfile import Problem, Source, decode

if TYPE_CHECKING:
    from lockgate.history.base import Migration, Tool
    from lockgate.lint.plans import Online
    from lockgate.plan.load import LoadedPlan

PLAN = "plan.yaml"


class Pending(Protocol):
    """Tells what a database has not had yet."""

    def done(self, plan: LoadedPlan) -> frozenset[str]:
        """The phases of a plan that are done."""

    def migrations(self, tool: Tool) -> list[Migration]:
        """The migrations of a folder that are not applied.

        :raises FolderError: for a folder with mistakes.
        """


@dataclass(slots=True)
class Found:
    """All that was named.

    :ivar batches: texts that belong together: those of a history, in order; a loose file by itself.
    :ivar problems: files that cannot be read.
    :ivar skipped: what was left out, for people.
    """

    batches: list[Batch] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def find(
    paths: Sequence[Path],
    online: Online,
    *,
    tool: str | None = None,
    wrapped: bool = False,
    pending: Pending | None = None,
) -> Found:
    """Read what was named.

    :param online: what steps of plans run instead of their texts.
    :param tool: whose folders they are; None: it is told from the folder.
    :param wrapped: whether loose files are run in a transaction.
    :param pending: tells what a database has not had yet; None: all is read.
    :raises UsageError: for a path that is not there, or a folder that is not of the tool.
    :raises PlanError: for a plan with mistakes.
    """
    found = Found()
    for path in paths:
        if not path.exists():
            raise UsageError("There is no such file or folder", where=str(path))
        if path.name == PLAN or (path.is_dir() and (path / PLAN).is_file()):
            _plan(path, online, found, pending)
        elif path.is_file():
            _file(path, found, wrapped)
        elif tool is not None:
            _history(path, tool, found, pending)
        else:
            _below(path, found, wrapped, pending)
    return found


def _below(folder: Path, found: Found, wrapped: bool, pending: Pending | None) -> None:
    """The histories and the files in a folder, which may be one itself."""
    for place, folders, files in os.walk(folder):
        here = Path(place)
        names = sorted(name for name in files if name.lower().endswith(".sql"))
        holds = names or any((here / name / "migration.sql").is_file() for name in folders)
        fitting, tools = _tools(here) if holds or here == folder else ([], [])
        if len(tools) == 1:
            folders.clear()
            _history(here, fitting[0] if fitting else None, found, pending)
            continue
        if tools:
            said = (
                f"how the files of {here} belong together, for they may be of {' or '.join(tools)}; say it with --tool"
            )
            found.skipped.append(said)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            _file(here / name, found, wrapped)


def _file(path: Path, found: Found, wrapped: bool) -> None:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError("A file cannot be read", where=str(path), why=error.strerror) from None
    text, problems = decode(str(path), content)
    found.problems += problems
    if not problems:
        found.batches.append(Batch(loose.texts(path, Source(str(path), text), wrapped=wrapped)))


def _tools(folder: Path) -> tuple[list[str], list[str]]:
    """The tools that a folder fits; and those whose it may be."""
    from lockgate.history.detect import TOOLS

    fitting = [name for name, kind in TOOLS.items() if kind.fits(folder)]
    return fitting, fitting or [name for name, kind in TOOLS.items() if kind.may(folder)]


def _history(folder: Path, tool: str | None, found: Found, pending: Pending | None) -> None:
    from lockgate.history import detect
    from lockgate.history.files import FolderError

    try:
        opened = detect.opened(folder, tool)
        migrations = opened.migrations() if pending is None else pending.migrations(opened)
    except FolderError as error:
        found.problems += error.problems
        return
    of_migrations(migrations, found)


def of_migrations(migrations: Iterable[Migration], found: Found) -> None:
    """Add migrations of one folder, in their order; of those that are programs it is said."""
    from lockgate.history.base import Script

    def text(script: Script) -> Text:
        return Text(script.source.file, script.text, script.at, wrapped=script.transaction)

    texts: list[Text] = []
    for migration in migrations:
        if migration.up is None:
            found.skipped.append(f"{migration.path} is a program")
            continue
        up = text(migration.up)
        texts.append(up)
        if migration.down is not None:
            texts.append(text(migration.down).taking_back(up))
    found.batches.append(Batch(texts))


def _plan(path: Path, online: Online, found: Found, pending: Pending | None) -> None:
    from lockgate.lint.plans import texts
    from lockgate.plan.load import load_plan

    plan = load_plan(path)
    done = pending.done(plan) if pending is not None else frozenset()
    found.batches += [Batch([text]) for text in texts(plan, online, done)]
    if plan.plan.migrations is not None:
        folder = os.path.normpath(plan.folder / plan.plan.migrations.path)
        found.skipped.append(f"the migrations that this plan applies; lint their folder, {folder}")
