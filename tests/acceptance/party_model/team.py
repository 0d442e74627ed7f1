"""The party model's team at work: its service is in use, its plan goes forth and back, and days pass."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from lockgate import ledger
from lockgate.backup import record
from lockgate.backup.make import make
from lockgate.backup.prove import prove
from lockgate.catalog import document
from lockgate.demo.project import Project
from lockgate.demo.syncing import drain, syncing
from lockgate.engine import runner
from lockgate.engine.clock import ForwardedClock, SystemClock
from lockgate.engine.context import Silent
from lockgate.engine.session import Sessions
from lockgate.plan.load import LoadedPlan, load_plan
from lockgate.plan.models import ReconcileCheck
from lockgate.sampling import sample
from lockgate.systems import system_folder
from lockgate.verification import verify
from systems.party_model.counts import MINIMUM_SCALE
from systems.party_model.generate import generate
from systems.party_model.people import known_people
from systems.party_model.roles import create_service_role, grant_to_service

SYSTEM = system_folder("party_model")
# Enough that requests come while tables are locked; of so few at once that tables can be locked on a busy machine, too.
RATE, WORKERS = 25, 3


@dataclass(slots=True)
class Team:
    """A legacy database of the smallest scale with its plan, on a clock that can be forwarded.

    :param folder: for backups, the journal and logs.
    """

    dsn: str
    folder: Path
    plan: Path = SYSTEM / "plan"
    clock: ForwardedClock = field(default_factory=lambda: ForwardedClock(SystemClock()))
    loaded: LoadedPlan = field(init=False)
    sessions: Sessions = field(init=False)

    def __post_init__(self) -> None:
        self.loaded = load_plan(self.plan)
        self.sessions = Sessions(self.dsn, self.loaded.plan.settings, self.clock)
        with self.connected() as conn:
            generate(conn, MINIMUM_SCALE)
            ledger.install(conn)

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            yield conn

    def act(self, *statements: str) -> None:
        with self.connected() as conn:
            for statement in statements:
                conn.execute(statement.encode())

    def schema(self) -> str:
        """The hash of the schema."""
        with self.connected() as conn:
            return document.read(conn, passing=False).digest

    def apply(self, to: str) -> None:
        runner.apply(self.loaded, self.sessions, to=to, clock=self.clock)

    def roll_back(self, to: str) -> None:
        runner.rollback(self.loaded, self.sessions, to=to, clock=self.clock)

    def differences(self, phase: str) -> list[str]:
        """Of all that is written now, when it has arrived in the other model: what the phase's comparisons say."""
        stop = threading.Event()
        with syncing(self.sessions, self.loaded.plan.plan, self.clock, lambda _: None):
            drain(self.sessions, self.loaded.plan.plan, self.clock, stop)
        asked = verify(
            self.loaded,
            self.sessions,
            only=phase,
            kinds=(ReconcileCheck,),
            progress=Silent(),
            clock=self.clock,
            stop=stop,
        )
        results = [each.result for each in asked]
        assert results
        return [result.what if result else "no answer" for result in results if result is None or not result.passed]

    def let_pass(self, days: int) -> None:
        sample(self.loaded, self.sessions, self.clock)
        self.clock.forward(timedelta(days=days))
        sample(self.loaded, self.sessions, self.clock)

    def back_up(self, patterns: Sequence[str] = ()) -> Path:
        """Make and prove a backup; where it is."""
        plan = self.loaded.plan.plan
        made = make(self.sessions, self.folder / "backups", plan, patterns=patterns)
        record.proven(self.sessions, plan, record.keep(self.sessions, plan, made), made, prove(made.folder))
        return made.folder


@dataclass(slots=True)
class Live:
    """The team's service, running, and who uses it."""

    team: Team
    url: str
    project: Project
    loads: int = 0

    @contextmanager
    def used(self) -> Iterator[None]:
        """Let it be used while the block runs; afterwards everything that was written has been applied."""
        team = self.team
        self.loads += 1
        known = team.folder / "known.json"
        journal = ("--url", self.url, "--journal", self._journal, "--seed", self.loads)
        with syncing(team.sessions, team.loaded.plan.plan, team.clock, lambda _: None):
            with self.project.running("", "load", *journal, "--rate", RATE, "--workers", WORKERS, "--known", known):
                yield
            drain(team.sessions, team.loaded.plan.plan, team.clock, self.project.stop)

    def verified(self, models: Sequence[str]) -> dict[str, Any]:
        """What became of all that was written, in these models."""
        answer = self.project.ask(self.team.dsn, "verify", "--journal", self._journal, "--models", *models)
        assert isinstance(answer, dict)
        return answer

    @property
    def _journal(self) -> Path:
        return self.team.folder / "journal.jsonl"


@contextmanager
def live(team: Team) -> Iterator[Live]:
    """The team's service, started as a process of its own, as a role that may do no more than it must."""
    name = f"party_service_{secrets.token_hex(4)}"
    with team.connected() as conn:
        create_service_role(conn, "test", name)
        grant_to_service(conn, name)
        known = [{"cpf": each.cpf, "emails": each.emails, "phones": each.phones} for each in known_people(conn, 400)]
    (team.folder / "known.json").write_text(json.dumps(known))
    project = Project(SYSTEM, team.folder, team.clock, threading.Event())
    try:
        with project.running(make_conninfo(team.dsn, user=name, password="test"), "service") as service:
            yield Live(team, service.said["url"], project)
    finally:
        with team.connected() as conn:
            conn.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))
