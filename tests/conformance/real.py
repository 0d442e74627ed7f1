"""The real tools, each behind the few commands that the tests want of it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.conformance import getting
from tests.conformance.getting import or_skip

UP = {
    1: "CREATE TABLE things (id int PRIMARY KEY);",
    2: "ALTER TABLE things ADD COLUMN name text;\nINSERT INTO things VALUES (1, 'ä;b');",
    3: "ALTER TABLE things ADD COLUMN size int;",
}
DOWN = {
    1: "DROP TABLE things;",
    2: "ALTER TABLE things DROP COLUMN name;",
    3: "ALTER TABLE things DROP COLUMN size;",
}


@dataclass(frozen=True)
class Ended:
    """How a command ended, and everything it said."""

    code: int
    said: str


class Real(Protocol):
    """A tool.

    :ivar times: the columns of its history that no two runs have alike.
    :ivar half: what it says, in part, of a migration that Lockgate did not finish; empty where it has no word for it.
    :ivar locked: whether its command line holds the lock that the adapter names.
    :ivar has_down: whether its command line takes migrations back.
    """

    name: str
    table: str
    times: tuple[str, ...]
    half: str
    locked: bool
    has_down: bool

    def files(self, number: int, up: str, down: str, *, alone: bool = False) -> Mapping[str, str]:
        """Name -> content of what makes migration ``number``."""

    def up(self, dsn: str, folder: Path) -> Ended:
        """Apply everything that is pending."""

    def down(self, dsn: str, folder: Path) -> Ended:
        """Take the last one back."""

    def pending(self, dsn: str, folder: Path) -> int:
        """How many are to be applied, as the tool says."""


class Dbmate:
    name = "dbmate"
    table = "public.schema_migrations"
    times: tuple[str, ...] = ()
    half = ""
    locked = False
    has_down = True

    def files(self, number: int, up: str, down: str, *, alone: bool = False) -> Mapping[str, str]:
        option = " transaction:false" if alone else ""
        return {f"00{number}_m.sql": f"-- migrate:up{option}\n{up}\n-- migrate:down{option}\n{down}\n"}

    def up(self, dsn: str, folder: Path) -> Ended:
        return self._run(dsn, folder, "migrate")

    def down(self, dsn: str, folder: Path) -> Ended:
        return self._run(dsn, folder, "rollback")

    def pending(self, dsn: str, folder: Path) -> int:
        return _count(r"Pending: (\d+)", self._run(dsn, folder, "status"))

    def _run(self, dsn: str, folder: Path, command: str) -> Ended:
        program = or_skip(getting.dbmate, self.name)
        where = ["--url", url(dsn, "socket"), "--migrations-dir", str(folder), "--no-dump-schema"]
        return run([str(program), *where, command])


class Goose:
    name = "goose"
    table = "public.goose_db_version"
    times = ("tstamp",)
    half = ""
    locked = False
    has_down = True

    def files(self, number: int, up: str, down: str, *, alone: bool = False) -> Mapping[str, str]:
        option = "-- +goose NO TRANSACTION\n" if alone else ""
        return {f"0000{number}_m.sql": f"{option}-- +goose Up\n{up}\n-- +goose Down\n{down}\n"}

    def up(self, dsn: str, folder: Path) -> Ended:
        return self._run(dsn, folder, "up")

    def down(self, dsn: str, folder: Path) -> Ended:
        return self._run(dsn, folder, "down")

    def pending(self, dsn: str, folder: Path) -> int:
        ended = self._run(dsn, folder, "status")
        assert ended.code == 0, ended.said
        return ended.said.count("Pending")

    def _run(self, dsn: str, folder: Path, command: str) -> Ended:
        return run([str(or_skip(getting.goose, self.name)), "-dir", str(folder), "postgres", url(dsn, "host"), command])


class GolangMigrate:
    name = "golang-migrate"
    table = "public.schema_migrations"
    times: tuple[str, ...] = ()
    half = "Dirty database version 3"
    locked = True
    has_down = True

    def files(self, number: int, up: str, down: str, *, alone: bool = False) -> Mapping[str, str]:
        return {f"{number}_m.up.sql": up, f"{number}_m.down.sql": down}

    def up(self, dsn: str, folder: Path) -> Ended:
        return self._run(dsn, folder, "up")

    def down(self, dsn: str, folder: Path) -> Ended:
        return self._run(dsn, folder, "down", "1")

    def pending(self, dsn: str, folder: Path) -> int:
        version = _count(r"^(\d+)$", self._run(dsn, folder, "version"))
        return sum(int(file.name.partition("_")[0]) > version for file in folder.glob("*.up.sql"))

    def force(self, dsn: str, folder: Path, version: int) -> Ended:
        """Say which version is right."""
        return self._run(dsn, folder, "force", str(version))

    def _run(self, dsn: str, folder: Path, *command: str) -> Ended:
        program = or_skip(getting.golang_migrate, self.name)
        return run([str(program), "-path", str(folder), "-database", url(dsn, "host"), *command])


class Sqlx:
    name = "sqlx"
    table = "public._sqlx_migrations"
    times = ("installed_on", "execution_time")
    half = "partially applied"
    locked = False
    has_down = True

    def files(self, number: int, up: str, down: str, *, alone: bool = False) -> Mapping[str, str]:
        option = "-- no-transaction\n" if alone else ""
        return {f"000{number}_m.up.sql": option + up, f"000{number}_m.down.sql": option + down}

    def up(self, dsn: str, folder: Path) -> Ended:
        return self._run(dsn, folder, "run")

    def down(self, dsn: str, folder: Path) -> Ended:
        return self._run(dsn, folder, "revert")

    def pending(self, dsn: str, folder: Path) -> int:
        ended = self._run(dsn, folder, "info")
        assert ended.code == 0, ended.said
        return ended.said.count("/pending")

    def _run(self, dsn: str, folder: Path, command: str) -> Ended:
        program = or_skip(getting.sqlx, self.name)
        return run([str(program), "migrate", command, "--source", str(folder), "-D", url(dsn, "host", "localhost")])


class Flyway:
    name = "flyway"
    table = "public.flyway_schema_history"
    times = ("installed_on", "execution_time")
    half = "failed"
    locked = True
    has_down = False

    def files(self, number: int, up: str, down: str, *, alone: bool = False) -> Mapping[str, str]:
        conf = {f"V{number}__m_n.sql.conf": "executeInTransaction=false\n"} if alone else {}
        return {f"V{number}__m_n.sql": up, f"U{number}__m_n.sql": down, **conf}

    def up(self, dsn: str, folder: Path) -> Ended:
        return self._run(dsn, folder, "migrate")

    def down(self, dsn: str, folder: Path) -> Ended:
        raise AssertionError("the free edition has none")

    def pending(self, dsn: str, folder: Path) -> int:
        valid = self._run(dsn, folder, "validate")
        count = _count(r"pending (\d+)", self._run(dsn, folder, "pending"))
        assert valid.code == 0 or count, valid.said
        return count

    def _run(self, dsn: str, folder: Path, command: str) -> Ended:
        path = or_skip(getting.flyway, self.name)
        said = conninfo_to_dict(dsn)
        if str(said["host"]).startswith("/"):
            pytest.skip("this server listens on its socket only, which Java's driver cannot use")
        address = f"jdbc:postgresql://{said['host']}:{said.get('port', 5432)}/{said['dbname']}"
        who = [str(said["user"]), str(said.get("password", ""))]
        return run(["java", "-XX:TieredStopAtLevel=1", "-cp", path, "Runner", address, *who, str(folder), command])


REAL: tuple[Real, ...] = (Dbmate(), Goose(), GolangMigrate(), Sqlx(), Flyway())


def url(dsn: str, socket: str, host: str = "") -> str:
    """The address as Go's and Rust's drivers read it.

    :param socket: the name of the parameter that takes the socket's folder.
    :param host: what the driver wants in the host's place then.
    """
    said = conninfo_to_dict(dsn)
    who = str(said["user"]) + (f":{said['password']}" if "password" in said else "")
    if str(said["host"]).startswith("/"):
        place = quote(str(said["host"]), safe="")
        return f"postgres://{who}@{host}/{said['dbname']}?{socket}={place}&sslmode=disable"
    return f"postgres://{who}@{said['host']}:{said.get('port', 5432)}/{said['dbname']}?sslmode=disable"


def run(command: list[str]) -> Ended:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return Ended(ended.returncode, ended.stdout + ended.stderr)


def _count(pattern: str, ended: Ended) -> int:
    found = re.search(pattern, ended.said, re.M)
    assert found is not None, ended.said
    return int(found[1])
