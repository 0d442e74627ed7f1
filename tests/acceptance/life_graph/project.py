"""What the tests of the life graph share."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import psycopg

from lockgate.backup import record
from lockgate.backup.make import make
from lockgate.backup.prove import prove
from lockgate.catalog import document
from lockgate.catalog.document import Document
from lockgate.engine import runner
from lockgate.engine.context import Silent
from lockgate.engine.session import Sessions
from lockgate.history.alembic import Alembic
from lockgate.ledger.migrations import By
from lockgate.migrating import moving
from lockgate.migrating.desk import at_work
from lockgate.plan.load import LoadedPlan, load_plan
from lockgate.systems import system_folder
from systems.life_graph.generate import fill

FOLDER = system_folder("life_graph")
SCALE = 0.01


def alembic(dsn: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The team's own way, without Lockgate."""
    command = [sys.executable, "-m", "alembic.config", "-c", str(FOLDER / "alembic.ini"), *words]
    environment = {**os.environ, "LIFE_GRAPH_DATABASE": dsn}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def tool() -> Alembic:
    return Alembic(FOLDER / "alembic")


def up(dsn: str, to: str = "004") -> None:
    """The revisions alone, up to one of them."""
    known = tool()
    with (
        at_work(Sessions(dsn), "test", Silent(), threading.Event()) as desk,
        moving.opened(desk, known, By("test"), None) as files,
    ):
        moving.bring(files, next(each for each in known.migrations() if each.version == to))


def loaded() -> LoadedPlan:
    return load_plan(FOLDER / "plan")


def sessions(dsn: str) -> Sessions:
    return Sessions(dsn, loaded().plan.settings)


def back_up(dsn: str, folder: Path) -> None:
    """The backup that the plan asks for, restored on the same server."""
    made = make(sessions(dsn), folder / "backups", "life-graph", patterns=("public.documents",))
    number = record.keep(sessions(dsn), "life-graph", made)
    record.proven(sessions(dsn), "life-graph", number, made, prove(made.folder, on=dsn))


def apply(dsn: str, folder: Path, to: str | None = None) -> None:
    """The plan, with all that its gates ask for."""
    runner.apply(loaded(), sessions(dsn), to="foundation")
    if to == "foundation":
        return
    back_up(dsn, folder)
    runner.apply(loaded(), sessions(dsn), to="links")
    if to == "links":
        return
    with psycopg.connect(dsn, autocommit=True) as conn:
        fill(conn, SCALE)
        conn.execute("UPDATE documents SET mime_type = 'text/plain'")
    runner.apply(loaded(), sessions(dsn), to=to)


def schema(dsn: str) -> Document:
    """The schema, without the tool's history, which stays."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        whole = document.read(conn, passing=False)
    return Document(tuple(item for item in whole.objects if "alembic_version" not in (item.table or item.name)))
