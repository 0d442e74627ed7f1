"""Copies of databases and of whole servers, as an administrator makes them."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lockgate.embedded import SUPERUSER, EmbeddedServer
from lockgate.embedded_host import system_user
from tests.folders import server_folder

EMPTY = "template0"


@contextmanager
def another_database(server: str, template: str = EMPTY) -> Iterator[str]:
    """The address of a new database on the server that ``server`` is an address of, dropped after the block."""
    name = f"lockgate_test_{secrets.token_hex(6)}"
    with psycopg.connect(in_database(server, "postgres"), autocommit=True) as admin:
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        admin.execute(made)
        try:
            yield in_database(server, name)
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def in_database(dsn: str, name: str) -> str:
    """The address of another database of the same server, a URI if ``dsn`` is one."""
    if dsn.startswith(("postgres://", "postgresql://")):
        return urlsplit(dsn)._replace(path=f"/{name}").geturl()
    return make_conninfo(dsn, dbname=name)


@contextmanager
def template_copy(dsn: str) -> Iterator[str]:
    """The address of a copy that the server makes of a database that nobody is connected to."""
    with another_database(dsn, str(conninfo_to_dict(dsn)["dbname"])) as copy:
        yield copy


def dump_and_restore(programs: Path, source: str, target: str) -> None:
    """All of a database by ``pg_dump``, into an empty one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    dumped = subprocess.run(
        [programs / "pg_dump", "--no-password", source], check=True, capture_output=True, env=environment
    )
    # Words that an older server does not know are no harm: what is there is asserted by whoever restores.
    subprocess.run(
        [programs / "psql", "--no-psqlrc", "--quiet", target],
        check=True, capture_output=True, input=dumped.stdout, env=environment,
    )  # fmt: skip


def copy_files(stopped: EmbeddedServer, folder: Path) -> EmbeddedServer:
    """A server with the files of one that is stopped: what a base backup, and so a replica, begins with."""
    shutil.copytree(stopped.directory, folder, ignore=shutil.ignore_patterns("programs*"))
    for path in (folder, *folder.rglob("*")):
        stat = (stopped.directory / path.relative_to(folder)).stat()
        os.chown(path, stat.st_uid, stat.st_gid)
    return EmbeddedServer(folder, settings=stopped.settings)


@contextmanager
def standby_of(primary: EmbeddedServer, **settings: str) -> Iterator[EmbeddedServer]:
    """A standby that follows the server, which is restarted for it; removed after the block."""
    primary.stop()
    host = conninfo_to_dict(primary.dsn())["host"]
    with server_folder() as folder:
        standby = EmbeddedServer(folder, settings={"primary_conninfo": f"host={host} user={SUPERUSER}", **settings})
        shutil.copytree(primary.data, standby.data)
        (standby.data / "standby.signal").touch()
        standby.data.chmod(0o700)
        for path in (standby.data, *standby.data.rglob("*")):
            shutil.chown(path, primary.data.owner(), primary.data.group())
        primary.start()
        with standby:
            yield standby


def upgrade(stopped: EmbeddedServer, into: EmbeddedServer) -> None:
    """``pg_upgrade`` from one stopped server into another, empty one; of the same version here."""
    user = system_user()
    done = subprocess.run(
        [
            into.bin / "pg_upgrade", "--old-bindir", stopped.bin, "--new-bindir", into.bin,
            "--old-datadir", stopped.data, "--new-datadir", into.data,
            "--username", SUPERUSER, "--socketdir", into.directory / "socket",
        ],
        cwd=into.data, capture_output=True, text=True, check=False,
        user=user.pw_uid if user else None, group=user.pw_gid if user else None, extra_groups=[] if user else None,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
