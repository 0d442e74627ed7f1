"""The copy that a plan is rehearsed on: the source's schema and generated rows, or one with real rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection, sql

from lockgate import sqlfiles
from lockgate.backup import clients as programs
from lockgate.backup.clients import Clients
from lockgate.backup.prove import failed_entries
from lockgate.catalog import document
from lockgate.catalog.document import Document
from lockgate.embedded_host import installed_programs
from lockgate.engine import scratch
from lockgate.engine.address import describe
from lockgate.engine.context import Progress
from lockgate.engine.session import Sessions
from lockgate.engine.sqlerrors import explain
from lockgate.errors import LockgateError
from lockgate.migrating import planned
from lockgate.plan.models import MigrateStep
from lockgate.rehearse import source, whole
from lockgate.rehearse.announced import with_references
from lockgate.rehearse.filling import Filled, fill
from lockgate.rehearse.source import TableShape, names

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan

_NAME = "lockgate:rehearsal"
_ENCODING = "UTF8"
_WHOLE = 200
"""Rows up to which a table is filled whole where a share is asked for: what others look up."""
# Made after the rows: they would run for each of them.
_LAST = (" TRIGGER ", " EVENT TRIGGER ", " RULE ")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the copy is to be.

    :param on: the address of a server on which a database may be made; None: the throw-away server here.
    :param rows: at most, a table.
    :param share: of the rows of each table that is not small, instead of ``rows``: more than 0, at most 1.
    :param restore: the folder of a proven backup to restore instead of generating rows.
    :param template: a database of the server ``on`` to copy instead of generating rows.
    :param folders: where to look for the clients, see :func:`lockgate.backup.clients.find`.
    """

    on: str | None = None
    rows: int = 10_000
    share: float | None = None
    restore: Path | None = None
    template: str | None = None
    folders: Sequence[Path] | None = None

    def of(self, rows: int) -> int:
        """How many rows a table gets that has so many."""
        if self.share is None:
            return min(self.rows, rows)
        return min(rows, max(_WHOLE, round(rows * self.share)))

    @property
    def whole(self) -> bool:
        """Whether the copy has rows of its own, which are not generated."""
        return self.restore is not None or self.template is not None


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the source.

    :param schema: that the plan is rehearsed from: the source's, or another one if the rows are real.
    :param shapes: the tables of the source.
    :param production: table -> rows of the source's, as the planner counts them; without those never analyzed.
    :param remarks: in what the copy is not what the source is, a line each.
    :param folder: for files, gone with the copy.
    """

    sessions: Sessions
    wanted: Settings
    server: str
    schema: Document
    shapes: tuple[TableShape, ...]
    tables: tuple[Filled, ...]
    production: dict[str, int]
    remarks: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, slots=True)
class _Seen:
    major: int
    host: str
    schema: Document
    extensions: list[str]
    roles: list[str]
    tables: list[TableShape]
    history: str | None
    history_rows: list[Any]


@contextmanager
def copied(loaded: LoadedPlan, sessions: Sessions, wanted: Settings, progress: Progress) -> Iterator[Copy]:
    """A copy that is gone after the block.

    :raises LockgateError: for what the copy's server lacks, before anything is made there; when the plan has begun in
        the source; when the schema cannot be dumped.
    """
    try:
        seen = _look(loaded, sessions)
    except psycopg.Error as error:
        raise explain(error, describe(sessions.dsn), "The source could not be read") from error
    with scratch.folder() as folder:  # holds backups: the next removes it if we are killed
        if wanted.on is None:
            _refuse_other_version(seen.major)
            with scratch.own() as made:
                _own_roles(made, seen.roles)
                yield _made(sessions, made, seen, wanted, folder, progress)
        else:
            _refuse_lacking(Sessions(wanted.on), seen, describe(wanted.on))
            with scratch.database(wanted.on, _ENCODING, like=wanted.template) as made:
                yield _made(sessions, made, seen, wanted, folder, progress)


def _look(loaded: LoadedPlan, sessions: Sessions) -> _Seen:
    """Everything that is asked of the source, read in one transaction that cannot write."""
    with sessions.open("rehearsal", plan_sql=True, read_only=True) as conn:
        home, rows = _history(conn, loaded)
    with sessions.open("rehearsal", read_only=True) as conn, conn.transaction():
        source.refuse_begun(conn, loaded.plan.plan)
        return _Seen(
            conn.info.server_version // 10_000,
            conn.info.host,
            document.read(conn, passing=False),
            names(conn, "extensions"),
            names(conn, "roles"),
            with_references(source.tables(conn), loaded),
            home,
            rows,
        )


def _history(conn: Connection[Any], loaded: LoadedPlan) -> tuple[str | None, list[Any]]:
    """What the migration tool has recorded: without it the copy would not know what is applied."""
    if not any(isinstance(step, MigrateStep) for phase in loaded.plan.phases for step in phase.steps):
        return None, []
    home = planned.tool_of(loaded).home(conn)
    if not home.exists:
        return None, []
    rows = conn.execute(sql.SQL("SELECT pg_catalog.to_jsonb(h)::text FROM {} AS h").format(home.named)).fetchall()
    label = f"{_quoted(conn, home.schema)}.{_quoted(conn, home.table)}"
    return label, [row[0] for row in rows]


def _quoted(conn: Connection[Any], name: str) -> str:
    row = conn.execute("SELECT pg_catalog.quote_ident(%s)", (name,)).fetchone()
    assert row is not None
    return str(row[0])


def _refuse_lacking(server: Sessions, seen: _Seen, where: str, *, roles: bool = True) -> None:
    with server.open("rehearsal", read_only=True) as conn:
        extensions = names(conn, "lacking_extensions", names=seen.extensions)
        lacking = names(conn, "lacking_roles", names=seen.roles) if roles else []
    told = [f"extension {name}" for name in extensions] + [f"role {name}" for name in lacking]
    if told:
        raise LockgateError(
            f"The copy's server lacks what the database has: {', '.join(told)}",
            where=where,
            why="The plan would run into what is missing, not into what happens in production.",
            hint="Install or create them there, or name another server with --on.",
        )


def _refuse_other_version(major: int) -> None:
    folder = installed_programs()
    own = programs.find(0, "", [folder]).major if folder else None
    if own != major:
        has = f"The server that comes with Lockgate is of version {own}" if own else "No embedded server is installed"
        raise LockgateError(
            f"There is no server here to rehearse a plan for PostgreSQL {major} on",
            why=f"{has}, and locks and rewrites differ between versions.",
            hint=f"Name a server of version {major} on which a database may be made: --on postgresql://...",
        )


def _own_roles(made: Sessions, roles: Sequence[str]) -> None:
    """The roles of the source, on a server that is ours alone: nobody can log in as them."""
    with made.open("rehearsal") as conn:
        for name in names(conn, "lacking_roles", names=list(roles)):
            conn.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))


def _made(sessions: Sessions, made: Sessions, seen: _Seen, wanted: Settings, folder: Path, progress: Progress) -> Copy:
    if wanted.on is None:
        _refuse_lacking(made, seen, "the throw-away server", roles=False)
    with made.open("rehearsal") as conn:
        major = conn.info.server_version // 10_000
        version = conn.info.parameter_status("server_version") or str(major)
    remarks = [] if major == seen.major else [f"the copy is on PostgreSQL {major}, the source on {seen.major}"]
    schema = seen.schema
    if wanted.whole:
        tables = whole.rows(made, wanted, remarks, progress)
        schema = whole.schema(made, schema, remarks)
    else:
        progress.event("copying the schema")
        tables = tuple(_schema_and_rows(sessions, made, seen, wanted, folder, remarks, progress))
        with made.open("rehearsal") as conn:
            conn.execute("ANALYZE")
    production = {table.label: table.rows for table in seen.tables if table.rows >= 0}
    where = "a throw-away server" if wanted.on is None else describe(wanted.on)
    return Copy(
        sessions=made,
        wanted=wanted,
        server=f"PostgreSQL {version}, {where}",
        schema=schema,
        shapes=tuple(seen.tables),
        tables=tables,
        production=production,
        remarks=tuple(remarks),
        folder=folder,
    )


def _schema_and_rows(
    sessions: Sessions,
    made: Sessions,
    seen: _Seen,
    wanted: Settings,
    folder: Path,
    remarks: list[str],
    progress: Progress,
) -> list[Filled]:
    clients = programs.find(seen.major, seen.host, wanted.folders)
    dump = folder / "schema.dump"
    wait = max(1, sessions.settings.lock_timeout // timedelta(milliseconds=1))
    arguments = (
        "--format=custom", "--schema-only", "--exclude-schema=lockgate", f"--file={dump}",
        f"--lock-wait-timeout={wait}", f"--encoding={_ENCODING}",
    )  # fmt: skip
    with programs.running(clients, "pg_dump", arguments, sessions.dsn, _NAME) as dumping:
        dumping.succeed()
    first, last = _lists(clients, dump)
    remarks += _restored(clients, made, dump, first)
    with made.open("rehearsal") as conn:
        spared = frozenset[str]()
        if seen.history:
            _put_history(conn, seen)
            spared = frozenset({seen.history})
            remarks.append(
                f"the rows of {seen.history} were copied: the history of the migrations ({len(seen.history_rows)})"
            )
        progress.event(f"generating rows for {len(seen.tables)} tables")
        filled = fill(conn, seen.tables, wanted.of, spared)
        for schema, name in conn.execute(sqlfiles.load(source.PACKAGE, "source.matviews")).fetchall():
            try:
                conn.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(sql.Identifier(schema, name)))
            except psycopg.Error as error:
                remarks.append(f"materialized view {schema}.{name} is empty: {error.diag.message_primary}")
    remarks += _restored(clients, made, dump, last)
    return filled


def _put_history(conn: Connection[Any], seen: _Seen) -> None:
    assert seen.history is not None
    table = next(table for table in seen.tables if table.label == seen.history)
    put = sql.SQL(
        "INSERT INTO {t} OVERRIDING SYSTEM VALUE SELECT * FROM pg_catalog.jsonb_populate_record(NULL::{t}, {v})"
    )
    for row in seen.history_rows:
        conn.execute(put.format(t=table.named, v=sql.Literal(row)))


def _lists(clients: Clients, dump: Path) -> tuple[Path, Path]:
    """Files that tell pg_restore what is made before the rows, and what after."""
    with programs.reading(clients, ("--list", str(dump))) as said:
        lines = said.read().decode().splitlines()
    entries = [line for line in lines if line and not line.startswith(";")]
    last = [line for line in entries if any(kind in line for kind in _LAST)]
    files = (dump.with_name("first.list"), dump.with_name("last.list"))
    files[0].write_text("\n".join(line for line in entries if line not in set(last)) + "\n", "utf-8")
    files[1].write_text("\n".join(last) + "\n", "utf-8")
    return files


def _restored(clients: Clients, made: Sessions, dump: Path, entries: Path) -> list[str]:
    """Make what the list names; what could not be, a line each."""
    if not entries.read_text("utf-8").strip():
        return []
    with programs.running(clients, "pg_restore", (f"--use-list={entries}", str(dump)), made.dsn) as restoring:
        status, output = restoring.end()
    found = failed_entries(output)
    if status and not found:
        found = [f"pg_restore ended with status {status}"]
    return [f"not copied: {one}" for one in found if 'schema "public" already exists' not in one]
