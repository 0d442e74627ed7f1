"""The rows of a backup, from pg_restore into the database, in the open transaction of one connection."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import Connection

from lockgate.backup import clients as programs
from lockgate.backup.clients import Clients
from lockgate.backup.contents import DataEntry
from lockgate.engine.context import Progress
from lockgate.engine.sqlerrors import message
from lockgate.errors import DatabaseError

_AT_ONCE = 1 << 17
_COPY, _FROM, _COPY_END = b"COPY ", b" FROM stdin;\n", b"\\.\n"
_SET = b"SELECT pg_catalog.setval("
_NAME = b"-- Data for Name: "
# Large objects are written in a transaction of their own, so the script says; here all is one.
_NOT_OURS = {b"BEGIN;\n", b"COMMIT;\n"}


def feed(
    conn: Connection[Any], clients: Clients, archive: Path, entries: Sequence[DataEntry], progress: Progress
) -> None:
    """Load rows, set sequences and write large objects.

    :raises DatabaseError: with what the server refused, or pg_restore could not read.
    """
    if not entries:
        return
    with tempfile.NamedTemporaryFile("w", prefix="lockgate-restore-") as chosen:
        chosen.writelines(f"{entry.id};\n" for entry in entries)
        chosen.flush()
        arguments = ("--no-owner", f"--use-list={chosen.name}", str(archive))
        with programs.reading(clients, arguments) as script:
            _play(conn, script, progress)


def _play(conn: Connection[Any], script: IO[bytes], progress: Progress) -> None:
    said = b""
    waiting = True  # the script begins with settings, which are not ours
    for line in script:
        if line.startswith(b"--") and not said:
            waiting = False if line.startswith((b"-- Name: ", _NAME)) else waiting
            if line.startswith(_NAME):
                progress.event(f"loading {line[len(_NAME) :].split(b'; Type:')[0].decode(errors='replace')}")
            continue
        if waiting or (not said and (line == b"\n" or line.startswith(b"\\") or line in _NOT_OURS)):
            continue
        said += line
        if not said.endswith(b";\n") or said.count(b'"') % 2:  # a name may hold the end of a statement
            continue
        if said.startswith(_COPY):
            _copy(conn, said, script)
        else:
            _execute(conn, said)
        said = b""


def _copy(conn: Connection[Any], statement: bytes, script: IO[bytes]) -> None:
    try:
        with conn.cursor() as cursor, cursor.copy(statement) as copy:
            for block in _blocks(script):
                copy.write(block)
    except psycopg.Error as error:
        raise refused(error, statement.removesuffix(_FROM).decode(errors="replace")) from error


def _blocks(script: IO[bytes]) -> Iterator[bytes]:
    """The rows up to their end, many at once."""
    block, size = [], 0
    for line in script:
        if line == _COPY_END:
            break
        block.append(line)
        size += len(line)
        if size > _AT_ONCE:
            yield b"".join(block)
            block, size = [], 0
    yield b"".join(block)


def _execute(conn: Connection[Any], statement: bytes) -> None:
    try:
        conn.execute(statement)
    except psycopg.Error as error:
        what = statement if statement.startswith(_SET) else b"a large object"
        raise refused(error, what.decode(errors="replace").strip()) from error


def refused(error: psycopg.Error, what: str) -> DatabaseError:
    """The error for what the server did not take; all that was done before it is taken back."""
    return DatabaseError(
        "The backup could not be restored, and nothing was changed",
        where=what,
        why=message(error),
        hint=error.diag.message_hint or "Mend what it names, then restore again.",
    )
