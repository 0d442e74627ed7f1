"""The proof of a backup: it is restored, and every table compared with what it was in the snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lockgate.backup import clients as programs
from lockgate.backup.clients import Clients
from lockgate.backup.compare import SHOWN, checked, differences, listed
from lockgate.backup.make import DUMP, SCHEMA
from lockgate.embedded_host import installed_programs
from lockgate.engine import scratch
from lockgate.engine.context import Progress, Silent
from lockgate.engine.session import Sessions
from lockgate.errors import CheckFailed, LockgateError
from lockgate.manifest import Manifest

_ERROR = "pg_restore: error: "
_COMMAND = "Command was: "
_AGAIN = "Make a new backup with `lockgate backup`."


@dataclass(frozen=True, slots=True)
class Proof:
    """What a restore came to.

    :param seconds: of pg_restore, indexes and constraints included, on the machine of the proof.
    :param remarks: what else could not be restored there and changes no table's rows: a foreign key to a table that
        is not in the backup, an extension that the server lacks.
    """

    seconds: float
    rows: int
    remarks: tuple[str, ...]


def prove(
    folder: Path,
    *,
    on: str | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
    folders: Sequence[Path] | None = None,
) -> Proof:
    """Verify every file, restore all of it, and compare columns, rows and content of each table.

    :param on: the address of a server on which a database may be made and dropped again. Default: a throw-away server
        of our own, which must be of the same major version.
    :raises CheckFailed: with every file and table that is not what it was.
    """
    progress = progress or Silent()
    said = checked(folder, _AGAIN)
    with _scratch(said, on) as sessions:
        progress.event("restoring the backup to compare it")
        clients = _restorer(said, sessions, folders)
        began = sessions.clock.monotonic()
        errors = _restore(clients, folder, sessions.dsn, jobs)
        seconds = sessions.clock.monotonic() - began
        with sessions.open("proof", read_only=True) as conn:
            found = [line for table in said.tables for line in differences(conn, table)]
    if found:
        more = [f"pg_restore said: {error}" for error in errors]
        raise CheckFailed(
            "The backup does not restore to what was backed up",
            where=str(folder),
            why=listed([*found[:SHOWN], *more]),
            hint=_AGAIN,
        )
    return Proof(seconds, sum(table.rows for table in said.tables), tuple(errors))


def _restore(clients: Clients, folder: Path, dsn: str, jobs: int) -> list[str]:
    """Restore in the three stages; what could not be, a line each."""
    shared = ("--no-owner", "--no-acl")
    dump = str(folder / DUMP)
    part = (folder / SCHEMA).exists()
    first = str(folder / SCHEMA) if part else dump
    # One after the other where errors are to be expected: those of several workers would be mixed.
    stages = (("pre-data", first, 1), ("data", dump, jobs), ("post-data", dump, 1 if part else jobs))
    errors: list[str] = []
    for section, archive, workers in stages:
        arguments = (*shared, f"--section={section}", f"--jobs={workers}", archive)
        with programs.running(clients, "pg_restore", arguments, dsn) as restore:
            status, output = restore.end()
        found = failed_entries(output)
        errors += found
        if status and not found:
            errors.append(f"it ended with status {status} in section {section}")
    return errors


def failed_entries(output: str) -> list[str]:
    """What could not be restored, and why, without the lines that quote values of rows."""
    found: list[str] = []
    lines = output.splitlines()
    for number, line in enumerate(lines):
        if line.startswith(_ERROR):
            found.append(line.removeprefix(_ERROR))
        elif line.startswith(_COMMAND) and found:
            command = " ".join(" ".join(lines[number : number + 2]).removeprefix(_COMMAND).split())
            found[-1] = f"{command} {found[-1]}"
    return found


def _restorer(said: Manifest, sessions: Sessions, folders: Sequence[Path] | None) -> Clients:
    """A pg_restore that reads what this version of pg_dump wrote."""
    with sessions.open("proof") as conn:
        host, major = conn.info.host, conn.info.server_version // 10_000
    return programs.find(max(said.client_major, major), host, folders)


@contextmanager
def _scratch(said: Manifest, on: str | None) -> Iterator[Sessions]:
    """An empty database that is gone after the block."""
    if on is not None:
        with scratch.database(on, said.encoding) as sessions:
            yield sessions
        return
    refuse_other_version(said.major)
    with scratch.own(said.bytes, said.encoding) as sessions:
        yield sessions


def refuse_other_version(major: int) -> None:
    """:raises LockgateError: where no embedded server of this major version is installed."""
    folder = installed_programs()
    own = programs.find(0, "", [folder]).major if folder else None
    if own != major:
        has = f"The server that comes with Lockgate is of version {own}" if own else "No embedded server is installed"
        raise LockgateError(
            f"There is no server here to restore a backup of PostgreSQL {major} to",
            why=f"{has}.",
            hint=f"Name a server of version {major} on which a database may be made (--on postgresql://...), "
            "or do without the proof (--no-prove).",
        )
