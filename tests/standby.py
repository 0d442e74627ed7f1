"""A standby of a server that only one test uses."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from lockgate.embedded import EmbeddedServer


@contextmanager
def standby_of(primary: EmbeddedServer, **settings: str) -> Iterator[EmbeddedServer]:
    """A streaming replica, from a copy of the primary's files; the primary is started again meanwhile."""
    primary.stop()
    folder = Path(tempfile.mkdtemp(prefix="lockgate-test-"))
    host = conninfo_to_dict(primary.dsn())["host"]
    standby = EmbeddedServer(folder, settings={"primary_conninfo": f"host={host} user=postgres", **settings})
    try:
        shutil.copytree(primary.data, standby.data)
        (standby.data / "standby.signal").touch()
        standby.data.chmod(0o700)
        for path in (standby.data, *standby.data.rglob("*")):
            shutil.chown(path, primary.data.owner(), primary.data.group())
        primary.start()
        with standby:
            yield standby
    finally:
        shutil.rmtree(folder)
