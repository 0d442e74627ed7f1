"""Running migrations by Django itself: its executor, on a connection of ours in place of the default database's."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from django.apps import apps as installed
from django.core.management.sql import emit_post_migrate_signal, emit_pre_migrate_signal
from django.db import connections, transaction
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ModelState
from django.db.utils import load_backend
from psycopg import Connection, sql
from psycopg.adapt import AdaptersMap

from lockgate.errors import LockgateError, UsageError
from lockgate.history import place
from lockgate.history.base import Home, Migration, Note, T
from lockgate.history.django import TABLE, Django, version
from lockgate.history.django_project import DEFAULT, Key, Project, file_of, line_of
from lockgate.history.files import HistoryError, MigrationFailed
from lockgate.history.raised import innermost, of_server


def perform(
    tool: Django,
    conn: Connection[Any],
    home: Home,
    wanted: Sequence[Migration],
    *,
    up: bool,
    note: Note,
    stop: Callable[[], bool],
) -> None:
    """Run migrations in this order, each with its rows in the history in one transaction.

    Django's signals are sent before the first and after the last one, as `manage.py migrate` sends them.

    :param conn: is used and closed.
    :param stop: asked before each.
    :raises MigrationFailed: with file and line.
    """
    with _executor(tool, conn, home, wanted, note, stop) as executor:
        executor.perform(up=up)


def rehearse(tool: Django, conn: Connection[Any], home: Home, wanted: Sequence[Migration], seen: Callable[[], T]) -> T:
    """Take migrations back in this order in one transaction, ask ``seen`` at its end, and roll it back.

    No signals are sent.

    :param conn: is used and closed.
    :raises MigrationFailed: with file and line; also for one that is not atomic.
    """
    with (
        _executor(tool, conn, home, wanted, lambda migration: None, lambda: False) as executor,
        transaction.atomic(using=DEFAULT),
    ):
        try:
            executor.take_back()
            return seen()
        finally:
            transaction.set_rollback(True, using=DEFAULT)
    raise AssertionError("a run that nobody stops ends")


@contextmanager
def _executor(
    tool: Django,
    conn: Connection[Any],
    home: Home,
    wanted: Sequence[Migration],
    note: Note,
    stop: Callable[[], bool],
) -> Iterator[_Executor]:
    """Django's executor on ``conn``; what it and the migrations raise is told with file and line."""
    executor = None
    try:
        found = place.find(conn, TABLE)
        if (found.schema, found.exists) != (home.schema, True):
            raise UsageError(
                f"Django keeps its history in {found}, not in {home}", hint="Leave --table out, or set search_path."
            )
        with _instead(conn) as connection:
            by_key = {each.facts["key"]: each for each in wanted}
            executor = _Executor(connection, tool.project, home, by_key, note, stop)
            yield executor
    except _Stopped:
        return
    except InconsistentMigrationHistory as error:
        raise HistoryError("Django cannot go on", where=str(home), why=str(error)) from error
    except LockgateError:
        raise
    except Exception as error:  # migrations are programs: whatever they raise is their fault
        cause = of_server(error)
        why = f"{type(cause or error).__name__}: {cause or error}".strip()
        raise MigrationFailed(_where(error, executor and executor.at, tool.project), why, cause) from error
    finally:
        conn.close()


class _Stopped(Exception):
    """The run was told to stop."""


class _Executor(MigrationExecutor):  # type: ignore[misc]  # Django has no types
    """Django's, with a transaction around each migration that also holds its rows in the history and in the ledger.

    :ivar at: the migration that is at work.
    """

    def __init__(
        self,
        connection: Any,
        project: Project,
        home: Home,
        wanted: dict[Key, Migration],
        note: Note,
        stop: Callable[[], bool],
    ) -> None:
        super().__init__(connection)
        self._project = project
        self._home = home
        self._wanted = wanted
        self._note = note
        self._stop = stop
        self.at: Any = None

    def perform(self, *, up: bool) -> None:
        """As `manage.py migrate` does it."""
        self.loader.check_consistent_history(self.connection)
        plan = [
            (each, not up) for key in self._wanted for each in (self._forwards(key) if up else self._backwards(key))
        ]
        state = self._create_project_state(with_applied_migrations=True)
        emit_pre_migrate_signal(0, False, DEFAULT, apps=state.apps, plan=plan)
        after = self.migrate(None, plan=plan, state=state.clone())
        after.clear_delayed_apps_cache()
        _render_again(after.apps)
        emit_post_migrate_signal(0, False, DEFAULT, apps=after.apps, plan=plan)

    def take_back(self) -> None:
        """In the transaction that is open.

        :raises MigrationFailed: for one that is not atomic.
        """
        plan = [(each, True) for key in self._wanted for each in self._backwards(key)]
        for each, _ in plan:
            if not each.atomic:
                raise MigrationFailed(f"{file_of(each)}:1:1", "It is not atomic: it commits on its way.", None)
        self.migrate(None, plan=plan)

    def apply_migration(self, state: Any, migration: Any, fake: bool = False, fake_initial: bool = False) -> Any:
        """In one transaction, unless the migration is not atomic."""
        with self._working(migration):
            return super().apply_migration(state, migration)

    def record_migration(self, migration: Any) -> None:
        """The rows that Django writes; those of squashed migrations that are complete by them; and the ledger's."""
        with transaction.atomic(using=DEFAULT):
            self._refuse_twice(migration)
            super().record_migration(migration)
            self.check_replacements()
            there = self.recorder.applied_migrations()
            for key, noted in list(self._wanted.items()):
                if key in there:
                    self._note(noted)
                    del self._wanted[key]

    def unapply_migration(self, state: Any, migration: Any, fake: bool = False) -> Any:
        """In one transaction, unless the migration is not atomic."""
        with self._working(migration):
            after = super().unapply_migration(state, migration)
            self._note(self._wanted[migration.app_label, migration.name])
        return after

    @contextmanager
    def _working(self, migration: Any) -> Iterator[None]:
        if self._stop():
            raise _Stopped
        self.at = migration
        whole: AbstractContextManager[Any] = transaction.atomic(using=DEFAULT) if migration.atomic else nullcontext()
        with whole:
            yield
        self.at = None

    def _forwards(self, key: Key) -> list[Any]:
        """The migration; or, of a squashed one that was begun by what it replaces, the rest of that."""
        nodes = self.loader.graph.nodes
        if key in nodes:
            return [nodes[key]]
        return [
            nodes[each]
            for each in self._project.lines(key)
            if each in nodes and each not in self.loader.applied_migrations
        ]

    def _backwards(self, key: Key) -> list[Any]:
        graph = self.loader.graph
        applied = self.loader.applied_migrations
        left = [each for each in graph.backwards_plan(key) if each in applied and each not in self._wanted]
        if left:
            raise HistoryError(
                f"{version(key)} cannot be taken back",
                where=str(self._home),
                why=f"{', '.join(map(version, left))} depends on it, and is applied.",
                hint="Take that back first, by what applied it.",
            )
        return [graph.nodes[key]]

    def _refuse_twice(self, migration: Any) -> None:
        """The table allows several rows for one migration: nobody else may be recording the same."""
        with self.connection.cursor() as cursor:
            lock = sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(self._home.named)
            cursor.execute(lock.as_string(None))
        there = self.recorder.applied_migrations()
        key = (migration.app_label, migration.name)
        lines = self._project.lines(key)
        if any(line in there for line in (lines[:-1] or lines)):
            raise HistoryError(
                "The history changed meanwhile",
                where=str(self._home),
                why=f"{version(key)} is applied already.",
                hint="Somebody else runs Django's migrate; try again.",
            )


class _Shared(Connection[Any]):
    """A second face of a connection, with what Django says of how values are read and written."""

    def __init__(self, conn: Connection[Any], said: dict[str, Any]) -> None:
        super().__init__(conn.pgconn)
        self._adapters = AdaptersMap(said["context"].adapters)
        self.cursor_factory = said["cursor_factory"]
        self.prepare_threshold = None  # names of statements that are prepared are those of the first face


@contextmanager
def _instead(conn: Connection[Any]) -> Iterator[Any]:
    """The default database, on a connection of ours."""
    theirs = connections[DEFAULT]
    settings = copy.deepcopy(theirs.settings_dict)
    settings["OPTIONS"].pop("pool", None)
    said = {"NAME": conn.info.dbname, "USER": conn.info.user, "HOST": conn.info.host, "PORT": str(conn.info.port)}
    settings.update(said, PASSWORD=conn.info.password, CONN_MAX_AGE=None, AUTOCOMMIT=True)
    ours = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, DEFAULT)
    shared: list[_Shared] = []

    def once(params: dict[str, Any]) -> _Shared:
        if shared:
            raise UsageError(
                "A migration closed the connection that it runs on",
                why="Its transaction, and Lockgate's lock on the work, ended with it.",
                hint="Take `connection.close()` out of it.",
            )
        shared.append(_Shared(conn, params))
        return shared[0]

    ours.get_new_connection = once
    connections[DEFAULT] = ours
    try:
        yield ours
    finally:
        connections[DEFAULT] = theirs


def _render_again(apps: Any) -> None:
    """Render the models of apps without migrations once more, with their relations to the others."""
    with apps.bulk_update():
        keys = [(each.app_label, each.name_lower) for each in apps.real_models]
        for key in keys:
            apps.unregister_model(*key)
    apps.render_multiple([ModelState.from_model(installed.get_model(*key)) for key in keys])


def _where(error: Exception, migration: Any, project: Project) -> str:
    """The project's line that raised; else that of the operation."""
    file, line = innermost(error, project.root) or (str(project.root), 1)
    if migration is not None and file == str(project.root):
        file, line = str(file_of(migration)), line_of(migration, _operation(error))
    return f"{file}:{line}:1"


def _operation(error: Exception) -> Any:
    trace, found = error.__traceback__, None
    while trace is not None:
        found = trace.tb_frame.f_locals.get("operation", found)
        trace = trace.tb_next
    return found
