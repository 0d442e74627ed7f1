"""Running revisions by Alembic itself: its env.py, on a connection of ours, a transaction for each revision."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.errors import UsageError
from lockgate.history.alembic import Alembic
from lockgate.history.base import Home, Migration, Note, T
from lockgate.history.files import HistoryError, MigrationFailed
from lockgate.history.raised import innermost, of_server

if TYPE_CHECKING:
    from alembic.runtime.environment import EnvironmentContext


def perform(
    tool: Alembic,
    conn: Connection[Any],
    home: Home,
    wanted: Sequence[Migration],
    *,
    up: bool,
    note: Note,
    stop: Callable[[], bool],
) -> None:
    """Run revisions in this order, each with its line in the history in one transaction.

    A revision with an ``autocommit_block`` commits what comes before it, as in Alembic itself.

    :param conn: is used and closed.
    :param stop: asked before each.
    :raises MigrationFailed: with file and line.
    """
    by_version = {each.version: each for each in wanted}

    def steps(heads: Any, context: Any) -> Iterator[Any]:
        for migration in wanted:
            if stop():
                return
            yield _step(tool, migration, up=up)

    def applied(*, ctx: Any, step: Any, heads: Any, run_args: Any) -> None:
        note(by_version[str(step.up_revision_id)])

    with _engine(conn) as connection:
        _run(tool, connection, conn, home, steps, applied)


def rehearse(tool: Alembic, conn: Connection[Any], home: Home, wanted: Sequence[Migration], seen: Callable[[], T]) -> T:
    """Take revisions back in this order in one transaction, ask ``seen`` at its end, and roll it back.

    :param conn: is used and closed.
    :raises MigrationFailed: with file and line; also for a revision with an ``autocommit_block``.
    """

    def steps(heads: Any, context: Any) -> Iterator[Any]:
        yield from (_step(tool, migration, up=False) for migration in wanted)

    # In a transaction that is open when it comes, Alembic begins and commits none of its own.
    with _engine(conn) as connection, connection.begin() as transaction:
        try:
            _run(tool, connection, conn, home, steps, lambda **_: None)
            return seen()
        finally:
            transaction.rollback()


def _run(
    tool: Alembic,
    connection: Any,
    conn: Connection[Any],
    home: Home,
    steps: Callable[..., Iterator[Any]],
    applied: Callable[..., None],
) -> None:
    from alembic.runtime.environment import EnvironmentContext
    from alembic.util import CommandError

    folder = Path(tool.scripts.dir)
    environment = EnvironmentContext(tool.config, tool.scripts, fn=steps)
    _take_over(environment, connection, home, applied)
    _address(tool, conn)
    try:
        with environment, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tool.scripts.run_env()
    except CommandError as error:
        raise HistoryError("Alembic cannot go on", where=str(folder), why=str(error)) from error
    except (HistoryError, UsageError):
        raise
    except Exception as error:  # env.py and revisions are programs: whatever they raise is their fault
        file, line = innermost(error, folder) or (str(folder), 1)
        cause = of_server(error)
        why = f"{type(cause or error).__name__}: {cause or error}".strip()
        raise MigrationFailed(f"{file}:{line}:1", why, cause) from error


def _step(tool: Alembic, migration: Migration, *, up: bool) -> Any:
    from alembic.runtime.migration import MigrationStep

    revision = tool.scripts.get_revision(migration.version)
    make = MigrationStep.upgrade_from_script if up else MigrationStep.downgrade_from_script
    return make(tool.scripts.revision_map, revision)


@contextmanager
def _engine(conn: Connection[Any]) -> Iterator[Any]:
    """A connection of SQLAlchemy's over ``conn``, whatever address env.py would go to."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    conn.autocommit = False
    engine = create_engine("postgresql+psycopg://", creator=lambda: conn, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            connection.rollback()  # what SQLAlchemy asked the server first is in a transaction
            yield connection
    finally:
        engine.dispose()


def _take_over(environment: EnvironmentContext, connection: Any, home: Home, applied: Callable[..., None]) -> None:
    """Let env.py configure what it likes, but for the connection, and one transaction a revision."""
    configure = environment.configure

    def configured(*args: Any, **said: Any) -> None:
        table, schema = said.get("version_table", "alembic_version"), said.get("version_table_schema")
        if table != home.table or schema not in {None, home.schema}:
            raise UsageError(
                f"env.py keeps its history in {f'{schema}.' if schema else ''}{table}, not in {home}",
                hint="Say where it is: `table: schema.name` in the plan's `migrations`, or --table.",
            )
        theirs = said.get("on_version_apply") or ()
        callbacks = (*((theirs,) if callable(theirs) else theirs), applied)
        more = {"connection": connection, "transaction_per_migration": True, "on_version_apply": callbacks}
        configure(**{**said, **more, "url": None, "dialect_name": None})

    environment.configure = configured  # type: ignore[method-assign]  # ``alembic.context`` hands out what is here


def _address(tool: Alembic, conn: Connection[Any]) -> None:
    """Have an env.py that goes by the configuration connect to where we are; what it connects to is not used."""
    from sqlalchemy.engine import URL

    info = conn.info
    said = {name: value for name, value in info.get_parameters().items() if name not in {"user", "dbname", "port"}}
    url = URL.create(
        "postgresql+psycopg",
        username=info.user,
        password=info.password or None,
        port=info.port or None,
        database=info.dbname,
        query=said,
    )
    tool.config.set_main_option("sqlalchemy.url", url.render_as_string(hide_password=False).replace("%", "%%"))
