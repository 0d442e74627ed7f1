"""What a killed process has left behind is cleared up by the next one, and what is in use is not touched."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from lockgate.engine import scratch
from lockgate.engine.session import Sessions
from tests.killing import call
from tests.waiting import lives, wait_until


def databases(conn: psycopg.Connection[Any]) -> set[str]:
    found = conn.execute("SELECT datname FROM pg_database WHERE datname LIKE 'lockgate_scratch%'")
    return {str(name) for (name,) in found}


def name_of(made: Sessions) -> str:
    return str(conninfo_to_dict(made.dsn)["dbname"])


def killed_with_a_database(dsn: str, told: str) -> None:
    with scratch.database(dsn) as made:
        Path(told).write_text(name_of(made))
        os.kill(os.getpid(), signal.SIGKILL)


def killed_with_a_server(folder: str) -> None:
    tempfile.tempdir = folder
    with scratch.own():
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_database_is_dropped_once_its_maker_is_gone(dsn: str, conn: psycopg.Connection[Any], tmp_path: Path) -> None:
    told = tmp_path / "name"
    with scratch.database(dsn) as alive:
        name = name_of(alive)
        assert call("tests.integration.engine.test_scratch:killed_with_a_database", dsn, str(told)).killed
        left = told.read_text()

        def cleared() -> bool:
            with scratch.database(dsn):
                return left not in databases(conn)

        wait_until(cleared)  # the server takes a moment to notice that its client is gone
        assert name in databases(conn)
    assert name not in databases(conn)


@pytest.mark.one_server
def test_a_server_is_ended_once_its_maker_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path(f"/tmp/lg{os.getpid()}")  # the path of a socket must be short
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    try:
        assert call("tests.integration.engine.test_scratch:killed_with_a_server", str(place)).killed
        (left,) = place.glob("lockgate-scratch-*")
        pid = int((left / "data" / "postmaster.pid").read_text().split()[0])
        assert lives(pid)
        with scratch.folder() as alive, scratch.folder():
            assert not left.exists()
            assert alive.exists()
        assert not lives(pid)
        assert list(place.glob("lockgate-*")) == []
    finally:
        shutil.rmtree(place)
