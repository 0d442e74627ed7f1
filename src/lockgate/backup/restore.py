"""Putting back what a backup holds: in one transaction, over nothing that is there, and compared before it counts."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection, sql

from lockgate import manifest, sqlfiles
from lockgate.archive import erasing
from lockgate.backup import clients as programs
from lockgate.backup import contents, record, selection
from lockgate.backup.compare import SHOWN, changed_parts, checked, description, differences, listed
from lockgate.backup.contents import PRE, Contents, DataEntry, Entry
from lockgate.backup.feeding import feed
from lockgate.backup.make import DUMP, NO_ENCODING
from lockgate.backup.making import Maker, already_there
from lockgate.backup.selection import OWN, NotRestored, Selection
from lockgate.catalog import document
from lockgate.catalog.differences import differences as of_schemas
from lockgate.engine.address import describe
from lockgate.engine.clock import Clock
from lockgate.engine.context import Progress, Silent
from lockgate.engine.faults import fault
from lockgate.engine.session import Sessions
from lockgate.engine.sqlerrors import explain
from lockgate.errors import CheckFailed, LockgateError, PlanError
from lockgate.ledger import backups
from lockgate.ledger.backups import BackupRow
from lockgate.manifest import Manifest, TableContent

_AGAIN = "Restore another backup; `lockgate backup` makes and proves a new one."
_FAILED = "The backup could not be restored, and nothing was changed"
# They lock tables that others write to, or read tables that are complete only now: after all that takes time.
_LAST = {"FK CONSTRAINT", "MATERIALIZED VIEW DATA", "EVENT TRIGGER", "PUBLICATION TABLE", "SUBSCRIPTION"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to restore of a backup; nothing: all that it holds.

    :param tables: patterns of their names (``core.entity_*``).
    :param folders: where to look for pg_restore, see :func:`lockgate.backup.clients.find`.
    """

    folder: Path
    tables: Sequence[str] = ()
    schemas: Sequence[str] = ()
    folders: Sequence[Path] | None = None
    progress: Progress = field(default_factory=Silent)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored, and equals what was backed up: columns, rows and content of each table.

    :param missing: what the backup holds and could not be restored, or was not.
    :param changed: ``schema.table`` -> in what it and its parts are not as they were, a line a difference.
    :param schema_changed: in what else the schema is not as it was, where all of it was restored.
    :param backup: its number in this database's ledger; None where the ledger does not know it.
    :param erased: tables from which rows were erased after it was made, how many, and why: they are back.
    """

    manifest: Manifest
    tables: tuple[TableContent, ...]
    seconds: float
    missing: tuple[NotRestored, ...]
    changed: Mapping[str, list[str]]
    schema_changed: tuple[str, ...]
    backup: int | None
    erased: tuple[tuple[str, int, list[str]], ...]


def restore(sessions: Sessions, wanted: Wanted) -> Restored:
    """Restore tables, schemas, or all that a backup holds, and say so in the ledger if it knows the backup.

    :raises CheckFailed: if the backup, or what was restored, is not what it was; then nothing is changed.
    :raises DatabaseError: if something of these names is there, or the server refuses; then nothing is changed.
    """
    said = checked(wanted.folder, _AGAIN)
    try:
        with sessions.open("restore") as conn, conn.transaction():
            return _restore(conn, wanted, said, sessions.clock)
    except psycopg.Error as error:
        raise explain(error, describe(sessions.dsn), _FAILED) from error


def restore_tables(conn: Connection[Any], wanted: Wanted, clock: Clock) -> Restored:
    """The same in the open transaction of whoever needs something back: that decides whether it stays.

    :param conn: of :class:`lockgate.engine.session.Sessions`, for values are compared as its sessions write them.
    :raises LockgateError: as :func:`restore` does; nothing is left of it then.
    """
    said = checked(wanted.folder, _AGAIN)
    try:
        with conn.transaction():
            return _restore(conn, wanted, said, clock)
    except psycopg.Error as error:
        raise explain(error, f"database {conn.info.dbname}", _FAILED) from error


def _restore(conn: Connection[Any], wanted: Wanted, said: Manifest, clock: Clock) -> Restored:
    began = clock.monotonic()
    row = _vouched(conn, wanted.folder)
    _refuse_older(conn, said)
    held = contents.read(wanted.folder, programs.find(max(said.client_major, _major(conn)), "", wanted.folders))
    everything = not (wanted.tables or wanted.schemas or held.partial)
    todo = _select(conn, held, wanted, said, everything=everything)
    _refuse_occupied(conn, todo)
    maker = Maker(conn, todo.needed)
    _make(conn, said, held, todo, maker, wanted.progress, everything=everything)
    was, now = description(wanted.folder, _AGAIN), document.read(conn)
    by_table = {table.label: changed_parts(conn, table, was, now) for table in todo.tables}
    whole = [str(found) for found in of_schemas(was, now) if not found.note] if everything else []
    restored = Restored(
        said,
        todo.tables,
        clock.monotonic() - began,
        (*maker.missing, *todo.left_out),
        {label: lines for label, lines in by_table.items() if lines},
        tuple(line for line in whole if line not in {told for lines in by_table.values() for told in lines}),
        row.id if row else None,
        tuple(erasing.since(conn, [table.label for table in todo.tables], said.snapshot_at)) if row else (),
    )
    if row is not None:
        record.restored(conn, row, restored)
    fault("restore.commit")
    return restored


def _vouched(conn: Connection[Any], folder: Path) -> BackupRow | None:
    """The backup as this database's ledger knows it, if it does.

    :raises CheckFailed: if it knows another one in this folder.
    """
    rows: list[BackupRow] = []
    with contextlib.suppress(psycopg.errors.InsufficientPrivilege), conn.transaction():
        rows = backups.known(conn)
    digest = manifest.digest(folder)
    here = (str(folder.resolve()), socket.gethostname())
    for row in rows:
        if row.manifest_sha256 == digest:
            return row
        if (row.folder, row.host) == here:
            raise CheckFailed(
                f"The backup is not backup {row.id}, which was made here: its manifest was changed",
                where=str(folder / manifest.NAME),
                hint=_AGAIN,
            )
    return None


def _major(conn: Connection[Any]) -> int:
    return conn.info.server_version // 10_000


def _refuse_older(conn: Connection[Any], said: Manifest) -> None:
    if _major(conn) < said.major:
        raise LockgateError(
            f"A backup of PostgreSQL {said.major} cannot be restored to a server of version {_major(conn)}",
            where=f"database {conn.info.dbname}",
            why="What a newer server writes, an older one need not understand.",
            hint=f"Restore it to a server of version {said.major} or newer.",
        )


def _select(conn: Connection[Any], held: Contents, wanted: Wanted, said: Manifest, *, everything: bool) -> Selection:
    chosen = selection.chosen_tables(said, wanted.tables, wanted.schemas)
    if any(table.schema == OWN for table in chosen):
        raise PlanError(
            "The ledger cannot be restored",
            where="schema lockgate",
            why="The transaction ids, snapshots and numbers of tables that it keeps mean nothing any more.",
            hint="Choose other tables or schemas; docs/ledger.md says what becomes of a ledger that was copied.",
        )
    if everything:
        row = conn.execute("SELECT pg_catalog.to_regnamespace('lockgate') IS NOT NULL").fetchone()
        assert row is not None
        return selection.of_all(held, said, ledger_is_there=bool(row[0]))
    if wanted.schemas and not held.partial:
        return selection.of_schemas(held, wanted.schemas, chosen)
    return selection.of_tables(held, chosen or [table for table in said.tables if table.schema != OWN])


def _refuse_occupied(conn: Connection[Any], todo: Selection) -> None:
    """Name all that is in the way, before anything is made; functions and the like are met on the way."""
    by_id = {entry.id: entry for entry in todo.entries}
    places = [place for entry in todo.entries if entry.id not in todo.needed and (place := _place(entry, by_id))]
    given = {"schemas": [schema for schema, _ in places], "names": [name for _, name in places]}
    found = [str(row[0]) for row in conn.execute(sqlfiles.load("lockgate.backup", "occupied"), given)]
    if found:
        raise already_there(conn, found)


def _place(entry: Entry, by_id: Mapping[int, Entry]) -> tuple[str, str] | None:
    """The name that it takes among relations and types."""
    if entry.type == "CONSTRAINT":  # it has an index of its name
        needed = [by_id[number].name for number in entry.needs & by_id.keys()]
        homes = [name for name in needed if entry.name.startswith(f"{name} ")]
        return (entry.schema, entry.name.removeprefix(f"{homes[0]} ")) if homes else None
    kinds = {"TABLE", "SEQUENCE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE", "INDEX", "TYPE", "DOMAIN"}
    return (entry.schema, entry.name) if entry.type in kinds else None


def _make(
    conn: Connection[Any],
    said: Manifest,
    held: Contents,
    todo: Selection,
    maker: Maker,
    progress: Progress,
    *,
    everything: bool,
) -> None:
    """Make all of it, and compare the tables before locks are taken that others wait for.

    :raises CheckFailed: if a table is not what it was.
    """
    rows = sum(table.rows for table in todo.tables)
    progress.event(f"restoring {len(todo.tables)} tables with {rows} rows")
    late = {entry.id for entry in todo.entries if entry.type in _LAST}
    last = [entry for entry in todo.entries if entry.id in late or entry.needs & late]
    first = [entry for entry in todo.entries if entry.id not in late and not entry.needs & late]
    with _settings(conn, said):
        maker.make(entry for entry in first if entry.section == PRE and entry.type != "ACL")
        feed(conn, held.clients, held.folder / DUMP, _data(held, todo, maker, everything=everything), progress)
        maker.make(entry for entry in first if entry.section != PRE and entry.type not in {"ACL", "DEFAULT ACL"})
        maker.make(entry for entry in first if entry.type in {"ACL", "DEFAULT ACL"})
    fault("restore.loaded")
    progress.event("comparing what was restored with what was backed up")
    found = [line for table in todo.tables for line in differences(conn, table)]
    if found:
        more = [f"{missing.what} could not be made: {missing.why}" for missing in maker.missing]
        why = listed([*found[:SHOWN], *more])
        what = "What was restored is not what was backed up, so nothing was changed"
        raise CheckFailed(what, where=str(held.folder), why=why, hint=_AGAIN)
    for table in todo.tables:  # nobody knows how many rows it has until somebody looks
        conn.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table.schema, table.name)))
    with _settings(conn, said):
        maker.make(last)


def _data(held: Contents, todo: Selection, maker: Maker, *, everything: bool) -> list[DataEntry]:
    made = {entry.id for entry in todo.entries} - maker.there - maker.failed
    oids = {entry.oid for entry in held.entries if entry.id in made and entry.type in {"TABLE", "SEQUENCE"}}
    others = {entry.oid for entry in held.entries if entry.id not in made}
    valued = {data.relation for data in held.data}
    for entry in todo.entries:
        if entry.id in made and entry.type == "SEQUENCE" and entry.oid not in valued:
            why = "It was made anew, for a table needs it; the backup is not of it, and does not hold its value."
            maker.missing.append(NotRestored(f"value of {entry.label}", why, ""))
    # Tables of extensions have rows of their own; they are no entries.
    return [data for data in held.data if data.relation in oids or (everything and data.relation not in others)]


@contextmanager
def _settings(conn: Connection[Any], said: Manifest) -> Iterator[None]:
    """What a script of pg_restore expects, until the end of the block; what our sessions pin is as it was then."""
    expected = {
        "search_path": "",
        "check_function_bodies": "off",
        "client_min_messages": "warning",
        "client_encoding": NO_ENCODING if said.encoding == NO_ENCODING else "UTF8",
        "default_tablespace": "",
        "default_table_access_method": "heap",
        "idle_in_transaction_session_timeout": "0",
    }
    names, values = list(expected), list(expected.values())
    put = "SELECT pg_catalog.set_config(n, v, true) FROM unnest(%s::text[], %s::text[]) AS s(n, v)"
    before = conn.execute(
        "SELECT pg_catalog.array_agg(pg_catalog.current_setting(n) ORDER BY i) "
        "FROM unnest(%s::text[]) WITH ORDINALITY AS s(n, i)",
        (names,),
    ).fetchone()
    assert before is not None
    conn.execute(put, (names, values))
    yield
    conn.execute(put, (names, before[0]))
