"""Making a backup: pg_dump and the hashes of the tables read the same snapshot."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from lockgate import manifest, sqlfiles
from lockgate.backup import clients as programs
from lockgate.backup.clients import Clients, Running
from lockgate.backup.dumping import dumping
from lockgate.backup.limit import Limit
from lockgate.backup.snapshot import Snapshot, taken
from lockgate.catalog import document, relations, tables
from lockgate.catalog.content import content
from lockgate.catalog.tables import Table
from lockgate.engine.address import describe
from lockgate.engine.context import Progress, Silent
from lockgate.engine.session import Sessions
from lockgate.engine.sqlerrors import explain
from lockgate.errors import LockgateError, PlanError
from lockgate.manifest import Manifest, TableContent

DUMP = "dump"
SCHEMA = "schema.dump"
DESCRIPTION = "schema.json"
NO_ENCODING = "SQL_ASCII"


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made.

    :param digest: the SHA-256 of its manifest.
    :param command: what pg_dump was told, without the address.
    """

    folder: Path
    manifest: Manifest
    digest: str
    command: str


def make(
    sessions: Sessions,
    to: Path,
    name: str,
    *,
    patterns: Sequence[str] = (),
    jobs: int = 1,
    progress: Progress | None = None,
    folders: Sequence[Path] | None = None,
    longest: timedelta | None = None,
    standby: Sessions | None = None,
) -> Made:
    """Back up the tables that fit the patterns, or the whole database, to a new folder that only we may enter.

    A dump of some tables lacks the types and functions that they need, so the schema of the whole database is put
    beside it.

    :param to: the folder in which the backup's own is made, called by ``name`` and the time of the snapshot.
    :param folders: where to look for the clients, see :func:`lockgate.backup.clients.find`.
    :param longest: how old the snapshot may become.
    :param standby: of the database, to read instead of it.
    :raises LockgateError: without fitting clients or space, for a pattern that fits nothing, when pg_dump fails, and
        when it takes too long; then nothing is left.
    """
    progress = progress or Silent()
    try:
        return _make(sessions, to, name, patterns, jobs, progress, folders, longest, standby)
    except psycopg.Error as error:
        raise explain(error, describe(sessions.dsn), "The backup could not be made") from error


def _make(
    sessions: Sessions,
    to: Path,
    name: str,
    patterns: Sequence[str],
    jobs: int,
    progress: Progress,
    folders: Sequence[Path] | None,
    longest: timedelta | None,
    standby: Sessions | None,
) -> Made:
    with taken(sessions, standby) as seen, Limit(seen.conn, longest, sessions.clock, progress) as limit:
        conn = seen.conn
        chosen = tables.choose(conn, patterns)
        refuse_foreign(chosen)
        if seen.standby:
            _refuse_unlogged(conn, chosen, seen.standby)
        sizes = {table.oid: tables.size(conn, table) for table in chosen}
        clients = programs.find(conn.info.server_version // 10_000, conn.info.host, folders)
        final = _free(to, f"{name}-{seen.at:%Y%m%dT%H%M%SZ}")
        with _new_folder(final, sum(sizes.values())) as folder:
            encoding = conn.info.parameter_status("server_encoding") or ""
            arguments = _arguments(folder, chosen if patterns else [], seen.name, jobs, encoding, sessions)
            with ExitStack() as stack:
                shown_as = "lockgate:backup"
                if seen.standby is None:
                    shown_as = stack.enter_context(dumping(sessions, [table.oid for table in chosen]))
                begun = [
                    stack.enter_context(programs.running(clients, "pg_dump", a, seen.dsn, shown_as)) for a in arguments
                ]
                for one in begun:
                    limit.ends(one)
                progress.event(f"pg_dump {clients.version} writes {len(chosen)} tables to {final}")
                measured = tuple(_measure(conn, table, sizes[table.oid], begun) for table in chosen)
                (folder / DESCRIPTION).write_text(document.read(conn).to_json(), "utf-8")
                for one in begun:
                    one.succeed()
            said = _manifest(seen, clients, tuple(patterns), measured, folder)
            digest = manifest.write(folder, said)
    shown = " ".join(argument.replace(str(folder), ".") for argument in ["pg_dump", *arguments[0]])
    return Made(final, said, digest, shown)


def _free(to: Path, name: str) -> Path:
    """The folder of a backup; numbered if another one was made in the same second."""
    names = (name, *(f"{name}-{number}" for number in range(2, 100)))
    return next((path for each in names if not (path := (to / each).resolve()).exists()), (to / name).resolve())


def refuse_foreign(chosen: Sequence[Table]) -> None:
    """:raises PlanError: if a table has rows on another server."""
    for table in chosen:
        if table.foreign_parts:
            raise PlanError(
                f"{table.label} has rows on another server, which no backup of this one holds",
                why=f"Foreign tables are among its partitions: {', '.join(table.foreign_parts)}.",
                hint="Choose other tables with --tables.",
            )


def _refuse_unlogged(conn: Connection[Any], chosen: Sequence[Table], standby: str) -> None:
    oids = [table.oid for table in chosen]
    found = [str(row[0]) for row in conn.execute(sqlfiles.load("lockgate.backup", "standby.unlogged"), {"oids": oids})]
    if found:
        raise PlanError(
            f"A standby has no rows of unlogged tables: {', '.join(found[:10])}",
            where=standby,
            hint="Choose other tables with --tables, or leave out --from.",
        )


@contextmanager
def _new_folder(final: Path, needed: int) -> Iterator[Path]:
    """A folder under another name until all is in it; gone when it does not come to that."""
    folder = final.with_name(f"{final.name}.unfinished")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        _refuse_without_space(final.parent, needed)
        if final.exists():
            raise FileExistsError(17, "There is a folder of this name already", str(final))
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise LockgateError(
            "The backup's folder cannot be made", where=str(final), why=error.strerror, hint="Name another one: --to."
        ) from error
    try:
        yield folder
        folder.rename(final)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _refuse_without_space(place: Path, needed: int) -> None:
    free = shutil.disk_usage(place).free
    if free < needed:
        raise LockgateError(
            "There is not enough space for the backup",
            where=str(place),
            why=f"The tables take {needed / 2**20:.0f} MiB in the database, and {free / 2**20:.0f} MiB are free.",
            hint="Name a folder on a larger disk with --to, or fewer tables with --tables.",
        )


def _arguments(
    folder: Path, chosen: Sequence[Table], snapshot: str, jobs: int, encoding: str, sessions: Sessions
) -> list[tuple[str, ...]]:
    """What each pg_dump is told: the data's, and for a choice of tables the whole schema's."""
    wait = max(1, sessions.settings.lock_timeout // timedelta(milliseconds=1))
    # In one encoding whatever the database's is: a restore must read the names in it. One without any has no other.
    encoded = () if encoding == NO_ENCODING else ("--encoding=UTF8",)
    shared = ("--snapshot", snapshot, f"--lock-wait-timeout={wait}", *encoded)
    dump = ("--format=directory", f"--jobs={jobs}", f"--file={folder / DUMP}", *shared)
    if not chosen:
        return [dump]
    # pg_dump reads a name as a pattern, in which quoted signs mean themselves, and folds what is not quoted.
    names = tuple(f"--table={name}" for table in chosen for name in table.names)
    return [(*dump, *names), ("--format=custom", "--schema-only", f"--file={folder / SCHEMA}", *shared)]


def _measure(conn: Connection[Any], table: Table, size: int, begun: Sequence[Running]) -> TableContent:
    """The table's columns and content; a pg_dump that has failed by now is not waited for."""
    for one in begun:
        if one.process.poll() is not None:
            one.succeed()
    found = content(conn, table.oid)
    return TableContent(table.schema, table.name, found.rows, found.hash, found.way, size, columns_of(conn, table.oid))


def columns_of(conn: Connection[Any], oid: int) -> tuple[tuple[str, str, bool], ...]:
    """Name, type and whether NULL is refused, of each column."""
    return tuple((column.name, column.type, column.not_null) for column in relations.read(conn, oid).columns)


def _manifest(
    seen: Snapshot,
    clients: Clients,
    patterns: tuple[str, ...],
    measured: tuple[TableContent, ...],
    folder: Path,
) -> Manifest:
    conn = seen.conn

    def setting(name: str) -> str:
        row = conn.execute("SELECT pg_catalog.current_setting(%s)", (name,)).fetchone()
        assert row is not None
        return str(row[0])

    return Manifest(
        database=conn.info.dbname,
        server_version=setting("server_version"),
        major=conn.info.server_version // 10_000,
        encoding=setting("server_encoding"),
        client=clients.version,
        snapshot_at=seen.at,
        standby=seen.standby,
        chosen=patterns,
        tables=measured,
        files=manifest.files(folder),
    )
