"""What the engine's tests share: plans from text, and a progress that remembers."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import psycopg

from lockgate.engine import runner
from lockgate.engine.session import Sessions
from lockgate.engine.undoing import BEGINNING
from lockgate.ledger.chunks import ChunkProgress
from lockgate.plan.load import LoadedPlan, load_plan
from lockgate.plan.models import Settings

QUICK = Settings(lock_timeout=timedelta(milliseconds=200), lock_retries=2)


class Told:
    """A Progress that keeps what it was told."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.events: list[str] = []
        self.waits: list[tuple[str, str]] = []

    def event(self, message: str) -> None:
        with self._lock:
            self.events.append(message)

    def chunks(
        self,
        progress: ChunkProgress,
        rows_per_second: float,
        eta_low: timedelta | None,
        eta_high: timedelta | None,
    ) -> None:
        pass

    def waiting(self, reason: str, release: str) -> None:
        with self._lock:
            self.waits.append((reason, release))


def write_plan(folder: Path, text: str, **files: str) -> LoadedPlan:
    """The plan of ``text`` (whose first key is ``phases``), with .sql files beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    body = dedent(text)
    head = "" if body.lstrip().startswith("plan:") else "plan: shop\n"
    (folder / "plan.yaml").write_text(head + body)
    for name, content in files.items():
        (folder / f"{name}.sql").write_text(dedent(content))
    return load_plan(folder)


def act(dsn: str, *statements: str) -> None:
    """Execute statements, each in a transaction of its own."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement.encode())


def forth(dsn: str, folder: str) -> None:
    """Apply the plan of a folder; may be called in a process of its own."""
    runner.apply(load_plan(Path(folder)), sessions(dsn, QUICK))


def back(dsn: str, folder: str) -> None:
    """Take all of it back; may be called in a process of its own."""
    runner.rollback(load_plan(Path(folder)), sessions(dsn, QUICK), to=BEGINNING)


def expire(dsn: str) -> None:
    """Let the lease of a killed run be over."""
    act(dsn, "UPDATE lockgate.lease SET expires_at = now() - interval '1 second'")


def sessions(dsn: str, settings: Settings | None = None) -> Sessions:
    return Sessions(dsn, settings)


def one(dsn: str, query: str) -> Any:
    """The one value of a query."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        row = conn.execute(query.encode()).fetchone()
    return row[0] if row else None


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, autocommit=True) as conn:
        return conn.execute(query.encode()).fetchall()


_HELD = """
CREATE TABLE public.go ();
CREATE FUNCTION public.held() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    WHILE NOT EXISTS (SELECT FROM public.go) LOOP PERFORM pg_sleep(0.01); END LOOP;
    RETURN 1;
END
$$
"""


def make_held(dsn: str) -> None:
    """Make a function ``held()``: a step that calls it stays where it is until ``let_go``, and then gets 1."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(_HELD)


def let_go(dsn: str) -> None:
    """End the wait of each step that calls ``held()``, and of all that come later."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("INSERT INTO public.go DEFAULT VALUES")
