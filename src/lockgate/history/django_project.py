"""A project of Django's: its settings, and the graph of its migrations.

Settings and the registry of apps are Django's globals: one process opens one project. Migrations run on a connection
of ours, in one transaction with our ledger, which no child process could do.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from lockgate.errors import LockgateError, UsageError
from lockgate.history.files import FolderError
from lockgate.history.raised import innermost
from lockgate.textfile import Problem

OLDEST = (4, 2)
VARIABLE = "DJANGO_SETTINGS_MODULE"
DEFAULT = "default"  # the one of a project's databases that its migrations are applied to

Key = tuple[str, str]
"""The label of an app, and the name of its migration."""


@dataclass(frozen=True)
class Project:
    """The folder of manage.py.

    :param settings: the module.
    """

    root: Path
    settings: str

    @cached_property
    def loader(self) -> Any:
        """The migrations of all installed apps, as Django loads them for an empty database.

        :raises UsageError: if there is no Django, no PostgreSQL, or another project in this process.
        :raises FolderError: for what Django cannot use.
        """
        self.open()
        from django.apps import apps
        from django.db.migrations.exceptions import BadMigrationError, CircularDependencyError, NodeNotFoundError
        from django.db.migrations.loader import MigrationLoader

        with _explained(self.root):
            try:
                loader = MigrationLoader(None)
            except NodeNotFoundError as error:
                raise self._wrong(str(error.args[0]), self._file(error.origin)) from None
            except CircularDependencyError as error:
                raise self._wrong(f"has a cycle: {error}") from None
            except (BadMigrationError, ValueError) as error:
                raise self._wrong(str(error)) from None
        problems = [
            Problem(
                str(Path(apps.get_app_config(label).path, "migrations")),
                1,
                1,
                f"has {len(names)} leaf nodes, {', '.join(sorted(names))}; `manage.py makemigrations --merge` makes "
                "them one again",
            )
            for label, names in sorted(loader.detect_conflicts().items())
        ]
        if problems:
            raise FolderError(problems)
        return loader

    def ordered(self) -> list[Any]:
        """The migrations, each behind all that it depends on, in the order of `manage.py migrate`."""
        graph = self.loader.graph
        keys = (key for leaf in graph.leaf_nodes() for key in graph.forwards_plan(leaf))
        return [graph.nodes[key] for key in dict.fromkeys(keys)]

    def applied(self, recorded: set[Key]) -> set[Key]:
        """What counts as applied: a squashed migration does where all that it replaces does, and only then."""
        found, before = set(recorded), None
        while found != before:
            before = set(found)
            for key, squashed in self.loader.replacements.items():
                (found.add if found.issuperset(squashed.replaces) else found.discard)(key)
        return found

    def lines(self, key: Key) -> list[Key]:
        """The rows that stand for a migration, a squashed one's own behind those of what it replaces."""
        squashed = self.loader.replacements.get(key)
        replaced = [line for each in squashed.replaces for line in self.lines(tuple(each))] if squashed else []
        return [*replaced, key]

    def open(self) -> None:
        """:raises UsageError: if Django cannot be set up for this project."""
        _set_up(self.root, self.settings)

    def _file(self, migration: Any) -> Path:
        return file_of(migration) if migration is not None else self.root

    def _wrong(self, what: str, file: Path | None = None) -> FolderError:
        return FolderError([Problem(str(file or self.root), 1, 1, what)])


def found(folder: Path) -> Project:
    """The project that a folder is in: that of manage.py, or of one below it.

    :raises UsageError: if there is none, or it cannot be told what its settings are.
    """
    root = above(folder)
    if root is None:
        raise UsageError(
            "There is no manage.py here or above", where=str(folder), hint="Name the folder that holds the project's."
        )
    said = os.environ.get(VARIABLE) or _default(root / "manage.py")
    if said is None:
        raise UsageError(
            "It cannot be told what the settings of this project are",
            where=str(root / "manage.py"),
            why=f"It does not say a default of {VARIABLE} as text.",
            hint=f"Say it in the environment: {VARIABLE}=shop.settings.",
        )
    return Project(root, said)


def above(folder: Path) -> Path | None:
    """The nearest folder with a manage.py of Django's, this one or one that it is in."""
    whole = folder.resolve()
    return next((each for each in (whole, *whole.parents) if _is_django(each / "manage.py")), None)


def file_of(migration: Any) -> Path:
    """Where a migration is."""
    return Path(sys.modules[migration.__module__].__file__ or "")


def _is_django(manage: Path) -> bool:
    try:
        return VARIABLE in manage.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _default(manage: Path) -> str | None:
    try:
        tree = ast.parse(manage.read_text("utf-8"))
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("environ.setdefault"):
            values = [each.value for each in node.args if isinstance(each, ast.Constant)]
            if len(values) == 2 and values[0] == VARIABLE and isinstance(values[1], str):
                return values[1]
    return None


@cache
def _set_up(root: Path, module: str) -> None:
    """As manage.py does it; once, and for one project only."""
    django = _installed(root)
    from django.conf import settings

    if settings.configured:
        raise UsageError(
            "Another project of Django's is open in this process",
            where=str(root),
            why=f"Settings are one for a process; they are those of {settings.SETTINGS_MODULE}, from elsewhere.",
            hint="Run Lockgate once for each project.",
        )
    os.environ[VARIABLE] = module
    sys.path.insert(0, str(root))
    with _explained(root):
        django.setup()
        from django.db import connections

        vendor, engine = connections[DEFAULT].vendor, connections[DEFAULT].settings_dict["ENGINE"]
    if vendor != "postgresql":
        raise UsageError(
            "The default database of this project is not PostgreSQL",
            where=module,
            why=f"Its ENGINE is {engine}.",
            hint=f"Name the settings that it has in production: {VARIABLE}=shop.settings.",
        )


def _installed(root: Path) -> ModuleType:
    try:
        import django
    except ImportError:
        raise UsageError(
            "Django is not installed where Lockgate is",
            where=str(root),
            why="Migrations are Python, which only Django in the project's own environment can run.",
            hint="Install Lockgate into the environment of the project: `pip install 'lockgate[django]'`.",
        ) from None
    if django.VERSION[:2] < OLDEST:
        raise UsageError(
            f"Lockgate runs Django from {'.'.join(map(str, OLDEST))} on; this is {django.get_version()}",
            where=str(root),
            why="Older ones cannot work with psycopg 3.",
        )
    return django  # type: ignore[no-any-return]


@contextmanager
def _explained(root: Path) -> Iterator[None]:
    """Turn what the project's own code raises when it is imported into a problem of its file."""
    try:
        yield
    except LockgateError:
        raise
    except SyntaxError as error:
        file, line, column = error.filename or str(root), error.lineno or 1, error.offset or 1
        raise FolderError([Problem(file, line, column, f"is no Python: {error.msg}")]) from None
    except Exception as error:  # settings and migrations are programs: whatever they raise is their fault
        file, line = innermost(error, root) or (str(root), 1)
        raise FolderError([Problem(file, line, 1, f"cannot be imported: {type(error).__name__}: {error}")]) from None


def line_of(migration: Any, operation: Any) -> int:
    """The line of a migration's file on which one of its operations begins; 1 if it is not written there as usual."""
    index = next((n for n, each in enumerate(migration.operations) if each is operation), -1)
    lists = (
        node.value.elts
        for made in ast.walk(ast.parse(file_of(migration).read_text("utf-8")))
        if isinstance(made, ast.ClassDef) and made.name == "Migration"
        for node in made.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "operations"
        if isinstance(node.value, ast.List)
    )
    written: Sequence[ast.expr] = next(lists, [])
    return written[index].lineno if 0 <= index < len(written) == len(migration.operations) else 1
