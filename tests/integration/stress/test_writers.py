"""Six writers, chunk workers and an applier that is killed now and then, all at once: no change may be lost."""

from __future__ import annotations

import os
import random
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg
import pytest
from psycopg import sql

from lockgate.embedded import EmbeddedServer
from lockgate.errors import ConnectionFailed
from lockgate.ledger import chunks
from lockgate.mapping import group
from tests.integration.stress.world import PLAN, Mapped, World, world
from tests.integration.stress.writers import HERE, Writers, differences, steps

# In CI 5,000 transactions; LOCKGATE_STRESS=n makes it n times 30,000, on a larger old model.
STRESS = int(os.environ.get("LOCKGATE_STRESS", "0"))
TRANSACTIONS = 30_000 * STRESS or 5_000
PEOPLE = 20_000 if STRESS else 2_000
_CLIENTS = 6


@pytest.fixture
def role(dsn: str) -> Iterator[str]:
    """A role that may write both models and nothing else."""
    name = f"app_{secrets.token_hex(4)}"
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
        yield name
        conn.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


@pytest.mark.slow
def test_no_change_is_lost(dsn: str, role: str, embedded_server: EmbeddedServer) -> None:
    with world(dsn) as scene:
        scene.sql((HERE / "scene.sql").read_text().format(people=PEOPLE))
        scene.sql(f"GRANT USAGE ON SCHEMA old, new TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA old, new TO {role}")
        mapped = [scene.begin(step, rows_a_chunk=max(200, PEOPLE // 10)) for step in steps()]
        writers = Writers(embedded_server.bin, dsn, role, PEOPLE)
        with _Service(dsn) as service, _Workers(scene, mapped) as workers:
            written = _write(writers, service, scene)
            workers.join()
        assert written == TRANSACTIONS // _CLIENTS * _CLIENTS
        assert service.kills >= 2
        scene.go_live()
        scene.drain()
        assert differences(scene.conn) == {}
        assert scene.sql("SELECT * FROM lockgate.poison").fetchall() == []
        for target_id in scene.targets():
            assert scene.reconcile(target_id).agrees
        assert all(scene.account(each).adds_up for each in mapped)


def _write(writers: Writers, service: _Service, scene: World) -> int:
    """Let pgbench write, and kill meanwhile; return how many transactions it committed, all without an error."""
    at_random = random.Random(5)
    with writers.start("-t", str(TRANSACTIONS // _CLIENTS)) as process:
        while True:
            try:
                told, errors = process.communicate(timeout=at_random.uniform(0.3, 1.5))
                break
            except subprocess.TimeoutExpired:
                at_random.choice((service.kill, lambda: _cut("applier", scene), lambda: _cut("chunks", scene)))()
    while service.kills < 2:
        service.kill()
    assert process.returncode == 0, errors
    assert "ERROR" not in errors
    failed = re.search(r"number of failed transactions: (\d+)", told)
    assert failed is None or failed[1] == "0", told
    done = re.search(r"number of transactions actually processed: (\d+)", told)
    assert done is not None, told
    return int(done[1])


def _cut(purpose: str, scene: World) -> None:
    """Cut a connection of the tool, in whatever it is doing."""
    scene.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE application_name = 'lockgate:{purpose}' AND datname = current_database()"
    )


class _Service:
    """The applying service in a process of its own; killed, it is started again at once."""

    def __init__(self, dsn: str) -> None:
        self.command = [sys.executable, "-m", "tests.integration.stress.service", dsn, PLAN]
        self.process: subprocess.Popen[bytes] | None = None
        self.kills = 0

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.command, stderr=subprocess.DEVNULL)

    def __enter__(self) -> _Service:
        self.process = self._start()
        return self

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = self._start()
        self.kills += 1

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@dataclass(slots=True)
class _Workers:
    """Two threads that copy chunks until none is left, whatever happens to their connections."""

    scene: World
    mapped: list[Mapped]
    failures: list[BaseException] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> _Workers:
        self.threads = [threading.Thread(target=self._run) for _ in range(2)]
        for thread in self.threads:
            thread.start()
        return self

    def join(self) -> None:
        """Wait for the last chunk; raise what a thread could not survive."""
        for thread in self.threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def _run(self) -> None:
        try:
            for mapped in self.mapped:
                while not self.stop.is_set() and self._some(mapped):
                    pass
        except BaseException as error:
            self.failures.append(error)

    def _some(self, mapped: Mapped) -> bool:
        """Do chunks over one connection until it is lost or nothing is left (False)."""
        try:
            with self.scene.sessions.open("chunks") as conn:
                loaded = group.load(conn, mapped.target_id)
                while not self.stop.is_set():
                    try:
                        with conn.transaction():
                            chunk = chunks.claim(conn, mapped.step_id)
                            if chunk is not None:
                                self.scene.run_chunk(conn, mapped, chunk, loaded)
                    except psycopg.errors.LockNotAvailable:
                        continue  # a conflict lost to the application
                    if chunk is None:
                        return chunks.pending(conn, mapped.step_id)
        except ConnectionFailed:
            return True
        except psycopg.OperationalError as error:
            if error.sqlstate not in (None, "57P01"):  # the connection was cut
                raise
            return True
        return False
