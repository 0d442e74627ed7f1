"""Running the scripts that make a database: several sessions share the statements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

SHARED = Path(__file__).parent / "legacy"
"""The scripts of the legacy model; another system that begins with the same tables uses them too."""


def script(name: str, folder: Path = SHARED) -> str:
    """The text of a script."""
    return (folder / f"{name}.sql").read_text(encoding="utf-8")


def statements(text: str) -> list[str]:
    """The statements of a script."""
    return [part for part in text.split(";\n") if part.strip()]


def lanes(name: str, folder: Path = SHARED) -> list[list[str]]:
    """The statements of a script between its `-- lane` lines: each such part can run beside the others."""
    return [statements(lane) for lane in script(name, folder).split("-- lane\n")]


class Makers:
    """Sessions that share statements."""

    def __init__(self, sessions: Sequence[psycopg.Connection[Any]]) -> None:
        self._sessions = sessions

    def given(self, text: str, figures: Mapping[str, Any]) -> None:
        """Run a script in each session: it puts the figures, which the loads read, into temporary tables."""
        for session in self._sessions:
            # A utility statement takes no parameters on the server's side.
            with psycopg.ClientCursor(session) as cursor:
                cursor.execute(text.encode(), figures)

    def share(self, lanes: Sequence[Sequence[str]]) -> None:
        """Run the lanes, each in order, by as many sessions as there are."""
        free = list(self._sessions)

        def run(lane: Sequence[str]) -> None:
            session = free.pop()
            try:
                for statement in lane:
                    session.execute(statement.encode())
            finally:
                free.append(session)

        with ThreadPoolExecutor(len(free)) as pool:
            for done in [pool.submit(run, lane) for lane in lanes]:
                done.result()


@contextmanager
def makers(conn: psycopg.Connection[Any], sessions: int, functions: Sequence[str]) -> Iterator[Makers]:
    """Further sessions to the same database, with the functions of these scripts' texts in their temporary schemas."""
    made = [_session(conn, functions) for _ in range(sessions)]
    try:
        yield Makers(made)
    finally:
        for session in made:
            session.close()


def _session(conn: psycopg.Connection[Any], functions: Sequence[str]) -> psycopg.Connection[Any]:
    session = psycopg.connect(
        conn.info.dsn, password=conn.info.password or None, autocommit=True, prepare_threshold=None
    )
    session.execute("SET synchronous_commit = off")
    session.execute("SET maintenance_work_mem = '256MB'")
    session.execute("SET TimeZone = 'UTC'")
    for text in functions:
        session.execute(text.encode())
    return session
