"""The server's own clients, pg_dump and pg_restore: which ones, and running them without showing a password."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lockgate.embedded_host import installed_programs
from lockgate.engine.address import redact
from lockgate.errors import DatabaseError, LockgateError

_SYSTEM = Path("/usr/lib/postgresql")
_VERSION = re.compile(r"\(PostgreSQL\) ((\d+)\S*)")
_LOCAL = {"", "localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Clients:
    """A folder with pg_dump and pg_restore of one version."""

    bin: Path
    version: str
    major: int


@dataclass(frozen=True, slots=True)
class Running:
    """A client at work."""

    program: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    secret: str | None

    def end(self) -> tuple[int, str]:
        """Wait for its end: its status, and what it said, without any password."""
        status = self.process.wait()
        self.output.seek(0)
        said = redact(self.output.read().decode(errors="replace"))
        return status, (said.replace(self.secret, "***") if self.secret else said).strip()

    def succeed(self) -> None:
        """:raises DatabaseError: with what it said, when it did not."""
        status, said = self.end()
        if status:
            raise DatabaseError(
                f"{self.program} failed",
                why="\n".join(said.splitlines()[:12]) or f"It ended with status {status}.",
                hint="Mend what it names, then run `lockgate backup` again.",
            )


def find(major: int, host: str, folders: Sequence[Path] | None = None) -> Clients:
    """The clients of the server's major version, else the next newer ones.

    :param host: where the server is; the clients that come with the embedded server know no TLS, so they are taken
        for this machine only.
    :param folders: where to look before the embedded ones. Default: Debian's folders, then PATH.
    :raises LockgateError: if there are none that are not older than the server.
    """
    if folders is None:
        path = os.environ.get("PATH", os.defpath).split(os.pathsep)
        folders = [*sorted(_SYSTEM.glob("*/bin")), *(Path(part) for part in path if part)]
    known = [clients for folder in folders if (clients := _clients(folder))]
    embedded = installed_programs()
    if embedded and (host in _LOCAL or host.startswith(("/", "@"))) and (own := _clients(embedded)):
        known.append(own)
    fit = [clients for clients in known if clients.major >= major]
    if fit:
        return min(fit, key=lambda clients: clients.major)
    there = ", ".join(sorted({clients.version for clients in known}))
    raise LockgateError(
        f"There is no pg_dump for a server of version {major}",
        why=f"Those that were found are older: {there}." if there else "None was found.",
        hint=f"Install the clients, such as postgresql-client-{major}, or put a newer pg_dump into the PATH.",
    )


@contextmanager
def running(
    clients: Clients, program: str, arguments: Sequence[str], dsn: str, name: str = "lockgate:backup"
) -> Iterator[Running]:
    """Start a client on a database; it is ended at the end of the block if it has not ended by then.

    :param name: what its sessions are called.
    :raises LockgateError: for an address whose secret cannot be given without showing it.
    """
    given = conninfo_to_dict(dsn)
    password = given.pop("password", None)
    if "sslpassword" in given:
        raise LockgateError(
            f"{program} cannot be given the password of the TLS key without showing it",
            why="The address holds sslpassword, which other users of this machine would see.",
            hint="Use a key without a password, or name one in a service file (PGSERVICEFILE).",
        )
    address = make_conninfo("", **{**given, "application_name": name})
    environment = {**os.environ, "LC_MESSAGES": "C"}
    if password is not None:
        environment["PGPASSWORD"] = str(password)
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [str(clients.bin / program), "--no-password", "--dbname", address, *arguments],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment,
        )  # fmt: skip
        try:
            yield Running(program, process, output, str(password) if password else None)
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait()


@contextmanager
def reading(clients: Clients, arguments: Sequence[str]) -> Iterator[IO[bytes]]:
    """What pg_restore makes of an archive, as SQL; it is asked for all of it by the end of the block.

    :raises DatabaseError: with what pg_restore said, when it could not read the archive.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [str(clients.bin / "pg_restore"), "--file=-", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=output, env={**os.environ, "LC_MESSAGES": "C"},
        )  # fmt: skip
        assert process.stdout is not None
        try:
            yield process.stdout
            status = process.wait()
        finally:
            process.stdout.close()
            if process.poll() is None:
                process.terminate()
            process.wait()
        if status:
            output.seek(0)
            errors = [line for line in output.read().decode(errors="replace").splitlines() if "error" in line]
            raise DatabaseError(
                "pg_restore cannot read the backup",
                why="\n".join(errors[:12]) or f"It ended with status {status}.",
                hint="Take another backup: `lockgate backup` makes and proves one.",
            )


def _clients(folder: Path) -> Clients | None:
    if not (folder / "pg_restore").exists():
        return None
    try:
        asked = subprocess.run(
            [folder / "pg_dump", "--version"], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    found = _VERSION.search(asked.stdout)
    return Clients(folder, found[1], int(found[2])) if found else None
