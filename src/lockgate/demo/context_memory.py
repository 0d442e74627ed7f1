"""The demo of the context memory: a quoting service takes leads in while its customers are built from them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from lockgate.demo.figures import backfill_rows_per_second
from lockgate.demo.journal import Journal, latency
from lockgate.demo.options import DemoOptions
from lockgate.demo.result import PlainResult
from lockgate.demo.stage import Stage, sized, staged
from lockgate.engine.clock import Clock, SystemClock
from lockgate.engine.context import Progress, Silent
from lockgate.engine.undoing import BEGINNING
from lockgate.errors import GateRefused, RollbackRefused
from lockgate.ledger import chain
from lockgate.report import collect
from lockgate.report.model import Report
from lockgate.systems import import_system, system_folder

SYSTEM = "context_memory"
_ADDITIVE = "additive"  # makes the tables, and nothing else
_FLAG = "flag"  # at its end the application uses its memory
_CHECKED = ("memory", _FLAG, "tighten")  # what the first phase's checks describe, the last one makes stricter
_KNOWN_LEADS = 200
_TRIES = 120
_RATE = 15.0  # at most: each write is followed by up to five mappings
_LOAD = "the load's journal, compared with the database once all changes were applied"
_GRANTS = (
    "GRANT USAGE ON SCHEMA public TO {}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {}",
)


def run(
    options: DemoOptions,
    progress: Progress | None = None,
    *,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
) -> PlainResult:
    """Run the demo; whether all went well is for ``holds`` of the result to say.

    :param stop: set it, and the demo ends early.
    :raises Interrupted: if it was stopped.
    :raises UsageError: if the options make no sense.
    :raises LockgateError: if a part of the demo could not run at all.
    """
    clock, progress, stop = clock or SystemClock(), progress or Silent(), stop or threading.Event()
    expected = sized(lambda: import_system(SYSTEM, "counts").expected(options.scale), "0.01")
    with staged(options, SYSTEM, clock, progress, stop) as stage:
        return _Demo(options, stage, expected).run()


@dataclass(slots=True)
class _Demo:
    options: DemoOptions
    stage: Stage
    expected: Any

    def run(self) -> PlainResult:
        stage = self.stage
        with stage.timed("generate"):
            self._generate()
        with stage.timed("try"):
            self._try_rollback()
        with stage.timed("plan"), self._load() as written:
            stage.pause(self.options.baseline_seconds)
            stage.apply(_ADDITIVE)
            with stage.synced():
                stage.apply(_FLAG)
                self._tighten()
                stage.pause(self.options.after_seconds)
                written.set()
                stage.say("the load is told to stop; waiting for the last changes to be applied")
                stage.drain()
        with stage.timed("verify"):
            failed = [said for phase in _CHECKED for said in stage.check_again(phase)]
            return self._outcome(tuple(failed))

    # --- parts ----------------------------------------------------------------------------------------------

    def _generate(self) -> None:
        database = self.stage.database
        self.stage.say(f"making the database at scale {self.options.scale:g} in {database.place}")
        with psycopg.connect(database.dsn, autocommit=True) as conn:
            import_system(SYSTEM, "generate").generate(conn, self.options.scale, self.options.seed)
            role, password = sql.Identifier(database.service_role), sql.Literal(database.service_password)
            conn.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, password))
            for grant in _GRANTS:
                conn.execute(sql.SQL(grant).format(role))

    def _try_rollback(self) -> None:
        """Take the new tables back while that loses nothing, so that it is known to work."""
        self.stage.say("the tables are made, and taken back, to try that before it is needed")
        self.stage.apply(_ADDITIVE)
        self.stage.take_back(BEGINNING)

    @contextmanager
    def _load(self) -> Iterator[threading.Event]:
        """Let the application write until the event is set, at the latest when the block ends."""
        load = import_system(SYSTEM, "load")
        with psycopg.connect(self.stage.database.dsn, autocommit=True) as conn:
            known = load.known(conn, _KNOWN_LEADS)
        told = load.Load(self.stage.database.service_dsn, min(self.options.rate, _RATE), self.options.seed)
        stop = threading.Event()
        self.stage.say(f"the application begins to write, {told.rate:g} times a second")
        with Journal(self.stage.folder / "journal.jsonl") as journal:
            thread = threading.Thread(target=load.drive, args=(told, known, journal, stop), name="load")
            thread.start()
            try:
                yield stop
            finally:
                stop.set()
                thread.join()

    def _tighten(self) -> None:
        """Go to the end as soon as the jobs that were made without a customer have theirs."""
        for _ in range(_TRIES):
            try:
                return self.stage.apply()
            except GateRefused as error:
                self.stage.say(f"not yet: {error.what}")
                self.stage.pause(1)
        return self.stage.apply()

    def _outcome(self, checks_failed: tuple[str, ...]) -> PlainResult:
        stage = self.stage
        entries = list(import_system(SYSTEM, "journal").read(self.stage.folder / "journal.jsonl"))
        failures = [entry.error for entry in entries if not entry.ok]
        refused = self._refused()
        with psycopg.connect(self.stage.database.dsn, autocommit=True) as conn:
            lost = import_system(SYSTEM, "verify").verify(entries, conn)
            query = (system_folder(SYSTEM) / "queries" / "figures.sql").read_text(encoding="utf-8")
            with conn.cursor(row_factory=dict_row) as cursor:
                found = cursor.execute(query.encode()).fetchone() or {}
        times = latency(entries, 0, stage.clock.now().timestamp())
        seen = {
            "acknowledged_writes": sum(entry.ok for entry in entries),
            "failed_writes": len(failures),
            "lost_writes": len(lost),
        }
        with stage.sessions.open("demo") as conn, conn.transaction():
            result = {**seen, "latency": asdict(times)}
            chain.evidence(conn, plan=stage.name, phase=None, step=None, name="load", query=_LOAD, result=result)
        with stage.sessions.open("demo") as conn:
            report = collect(conn, stage.name, show_values=True)  # all of them were made up
        return stage.result(
            self.options,
            report,
            system="context-memory",
            acknowledged=seen["acknowledged_writes"],
            failed=seen["failed_writes"],
            lost=seen["lost_writes"],
            checks_failed=checks_failed,
            figures={
                **{name.replace("_", " "): rows for name, rows in found.items()},
                "writes with the memory": sum(entry.memory for entry in entries),
                "rows backfilled a second": backfill_rows_per_second(report),
                "slowest 1 % of writes took more than, ms": round(times.p99_ms or 0, 1),
                "rollback refused": refused,
            },
            differences=(
                *self._differences(found, report),
                *(f"lead {each.lead}: {each.what}" for each in lost[:20]),
                *failures[:20],
                *(() if refused else ("a rollback was not refused, although it loses rows",)),
            ),
        )

    def _refused(self) -> str:
        """Why the new tables cannot be taken back any more; empty if they were."""
        try:
            self.stage.take_back(BEGINNING)
        except RollbackRefused as error:
            return f"{error.what}: {error.why}"
        return ""

    def _differences(self, found: dict[str, Any], report: Report) -> Iterator[str]:
        expected = self.expected
        announced = {
            "customers": expected.customers,
            "conversations": expected.mappings["conversations"].migrated,
            "messages": expected.messages_migrated,
            "leads_of_customers": expected.mappings["lead_customers"].migrated,
            "jobs_of_customers": expected.jobs,
            "conflicts": expected.conflicts,
        }
        for name, wanted in announced.items():
            if found.get(name) != wanted:
                yield f"{name.replace('_', ' ')}: {found.get(name)}, not {wanted}"
        rejected = {part.name: part.accounting.rejected_by_reason for part in report.mappings if part.accounting}
        for mapping, reason in (("customers", "neither phone nor e-mail"), ("conversations", "no lead")):
            wanted, rows = expected.mappings[mapping].rejected[reason], rejected.get(mapping, {}).get(reason)
            if rows is None or rows < wanted:
                yield f"rows rejected by {mapping}, {reason}: {rows}, not {wanted}"
