"""Each system's folder, applied by its own tool and by Lockgate: the schemas are the same, on both servers.

The salon has no tool but psql; for sqlx, whose command line cannot be had from a registry of built packages, psql does
what it does: a file in a transaction, or as it is where it begins so.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from lockgate.catalog import document
from lockgate.catalog.differences import differences
from lockgate.catalog.document import Document
from lockgate.engine.context import Silent
from lockgate.engine.session import Sessions
from lockgate.history import detect
from lockgate.ledger.migrations import By
from lockgate.migrating import moving
from lockgate.migrating.desk import at_work
from lockgate.systems import system_folder
from systems.life_graph import generate as life_graph
from systems.party_model import generate as party_model
from systems.party_model.counts import MINIMUM_SCALE
from systems.salon import generate as salon
from tests.acceptance.life_graph.project import alembic
from tests.conformance.packages import node_modules
from tests.conformance.prisma.test_prisma import PACKAGES, prisma
from tests.copies import template_copy

HISTORIES = ("alembic_version", "_prisma_migrations", "lockgate_migrations", "_sqlx_migrations")


@pytest.fixture
def twin(dsn: str, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Two databases with the system's old model."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        request.param(conn)
    with template_copy(dsn) as other:
        yield dsn, other


def schema(dsn: str) -> Document:
    """Without the tools' histories, which are theirs to keep."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        whole = document.read(conn, passing=False)
    return Document(tuple(item for item in whole.objects if (item.table or item.name).split(".")[-1] not in HISTORIES))


def by_lockgate(dsn: str, folder: Path, tool: str) -> None:
    work = at_work(Sessions(dsn), "conformance", Silent(), threading.Event())
    with work as desk, moving.opened(desk, detect.opened(folder, tool), By("history:conformance"), None) as files:
        assert moving.bring(files, None)


def by_alembic(dsn: str, folder: Path) -> None:
    done = alembic(dsn, "upgrade", "head")
    assert done.returncode == 0, done.stderr


def by_prisma(dsn: str, folder: Path) -> None:
    answer = prisma(node_modules("prisma", PACKAGES), dsn, folder.parent, "deploy")
    assert answer.get("appliedMigrationNames"), answer


def by_psql(dsn: str, folder: Path) -> None:
    for file in sorted(folder.glob("*.sql")):
        if file.name.endswith(".down.sql"):
            continue
        alone = file.read_text().startswith("-- no-transaction")
        words = [
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            *([] if alone else ["--single-transaction"]),
        ]
        done = subprocess.run([*words, f"--file={file}", dsn], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("twin", "folder", "tool", "by_tool"),
    [
        pytest.param(
            lambda conn: life_graph.generate(conn, 0.01), "life_graph/alembic", "alembic", by_alembic, id="life graph"
        ),
        pytest.param(
            lambda conn: None,  # its first migration is the old model
            "context_memory/prisma/migrations",
            "prisma",
            by_prisma,
            id="context",
        ),
        pytest.param(salon.prepare, "salon/migrations", "timestamped", by_psql, id="salon"),
        pytest.param(
            lambda conn: party_model.generate(conn, MINIMUM_SCALE),
            "party_model/migrations",
            "sqlx",
            by_psql,
            id="party model",
        ),
    ],
    indirect=["twin"],
)
def test_a_folder_gives_the_same_schema(
    twin: tuple[str, str], folder: str, tool: str, by_tool: Callable[[str, Path], None]
) -> None:
    path = system_folder("party_model").parent / folder
    before = schema(twin[0])
    by_tool(twin[0], path)
    by_lockgate(twin[1], path, tool)
    assert differences(before, schema(twin[0]))
    assert differences(schema(twin[0]), schema(twin[1])) == []
