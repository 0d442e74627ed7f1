"""The demo of the hardening: a lead database is made sound while a desk writes, there, back, and there again."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

import psycopg

from lockgate.demo.canary import Canary, Probe, canary
from lockgate.demo.database import copied
from lockgate.demo.hardened import HardenedResult, added, exhibits
from lockgate.demo.journal import Journal
from lockgate.demo.options import DemoOptions
from lockgate.demo.project import Project, Running, is_well, require_packages
from lockgate.demo.result import PlainResult
from lockgate.demo.stage import Stage, sized, staged
from lockgate.engine.clock import Clock, SystemClock
from lockgate.engine.context import Progress, Silent
from lockgate.engine.undoing import BEGINNING
from lockgate.report import collect
from lockgate.report.model import Report
from lockgate.systems import import_system, system_folder

SYSTEM = "hardening"
_SERVICE = "party_model"  # whose service it is: the same database, a day before
_BEFORE_STORAGE = "statistics"
_DESK = "desk.jsonl"


def run(
    options: DemoOptions,
    progress: Progress | None = None,
    *,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
) -> HardenedResult:
    """Run the demo; whether all went well is for ``holds`` of the result to say.

    :param stop: set it, and the demo ends early.
    :raises Interrupted: if it was stopped.
    :raises UsageError: if the options make no sense.
    :raises LockgateError: if a part of the demo could not run at all.
    """
    clock, progress, stop = clock or SystemClock(), progress or Silent(), stop or threading.Event()
    require_packages()
    defects = sized(lambda: import_system(SYSTEM, "defects").defects(options.scale), "0.02")
    with staged(options, SYSTEM, clock, progress, stop) as stage:
        (stage.folder / _DESK).unlink(missing_ok=True)
        project = Project(system_folder(_SERVICE), stage.folder, clock, stop)
        return _Demo(options, stage, project, defects).run()


@dataclass(slots=True)
class _Demo:
    options: DemoOptions
    stage: Stage
    project: Project
    defects: Any
    differences: list[str] = field(default_factory=list)

    def run(self) -> HardenedResult:
        stage = self.stage
        with stage.timed("generate"):
            self._generate()
        with stage.timed("offline"):
            offline = self._offline()
        before, objects = self._look(), self._objects()
        self._compare_start(before)
        with self._service() as service, self._load(service) as load, self._desk() as desk:
            stage.say(f"service and sales desk go on for {self.options.baseline_seconds:g} s, before the plan")
            stage.pause(self.options.baseline_seconds)
            stage.say("the sales desk's next release writes a number once")
            desk.once.set()
            with self._canary() as watched:
                with stage.timed("online"):
                    stage.apply(_BEFORE_STORAGE)
                hardened = self._look()
                added_once = added(objects, self._objects())
                with stage.timed("rollback"):
                    stage.say("all of it is taken back, to try that before it is needed")
                    stage.take_back(BEGINNING)
                self._compare_back(before, objects)
                with stage.timed("again"):
                    stage.apply()
                since = stage.clock.now()
                stage.say(f"the service stores again; it goes on for {self.options.after_seconds:g} s")
                stage.pause(self.options.after_seconds)
            load.stop()
        after = self._look()
        self._validate(since)
        if added(objects, self._objects()) != added_once:
            self.differences.append("The second time, other objects were added than the first time")
        if (after.phones, after.addresses) != (hardened.phones, hardened.addresses):
            self.differences.append("The second time, other rows came out than the first time")
        with stage.timed("verify"):
            failed = tuple(stage.check_again())
            verified = self._verified()
        return self._result(offline, objects, after, watched, failed, verified)

    # --- parts ----------------------------------------------------------------------------------------------

    def _generate(self) -> None:
        stage, database = self.stage, self.stage.database
        stage.say(f"making the database as it was found, at scale {self.options.scale:g}, in {database.place}")
        generator = import_system(SYSTEM, "generate")
        with psycopg.connect(database.dsn, autocommit=True) as conn:
            generator.generate(conn, self.options.scale, self.options.seed, report=lambda done: stage.say(f"  {done}"))
        self.project.ask(database.dsn, "role", "--name", database.service_role, password=database.service_password)

    def _offline(self) -> float:
        """The team's way, on a copy that nobody uses; seconds."""
        with copied(self.stage.database) as copy, psycopg.connect(copy, autocommit=True) as conn:
            self.stage.say("the same statements in one transaction, on a copy that nobody uses, for their time")
            return float(import_system(SYSTEM, "offline").harden(conn))

    def _service(self) -> Any:
        return self.project.running(self.stage.database.service_dsn, "service", ready=is_well)

    @contextmanager
    def _load(self, service: Running) -> Iterator[Running]:
        """Leads for the service, whose storage is switched off until the plan's last phase."""
        journal = self.stage.folder / "journal.jsonl"
        given = ("--url", service.said["url"], "--journal", journal, "--seed", self.options.seed)
        with self.project.running("", "load", *given, "--rate", self.options.rate) as load:
            yield load

    @contextmanager
    def _desk(self) -> Iterator[Any]:
        with Journal(self.stage.folder / _DESK) as journal:
            desk = import_system(SYSTEM, "desk").Desk(self.stage.database.service_dsn, self.options.rate, journal)
            desk.start()
            try:
                yield desk
            finally:
                desk.stop()

    @contextmanager
    def _canary(self) -> Iterator[Canary]:
        probes = {table: Probe(*both) for table, both in import_system(SYSTEM, "desk").probes().items()}
        with canary(self.stage.database.service_dsn, probes, self.stage.clock) as watched:
            yield watched
        self.differences += [f"The canary failed: {each}" for each in watched.failures[:20]]

    def _verified(self) -> Mapping[str, Any]:
        """What the service and the desk were told, and whether it is there."""
        stage = self.stage
        stage.say("looking for each acknowledged write")
        journal = ("--journal", stage.folder / "journal.jsonl", "--models", "old")
        service = self.project.ask(stage.database.dsn, "verify", *journal)
        desk = import_system(SYSTEM, "desk")
        entries = list(desk.read(stage.folder / _DESK))
        with psycopg.connect(stage.database.dsn, autocommit=True) as conn:
            lost = desk.lost(conn, entries)
        failures = [entry.error for entry in entries if not entry.ok]
        self.differences += [*lost[:20], *failures[:20], *(str(each) for each in service["lost"])]
        self.differences += [f"{each['kind']}: {each['error']}" for each in service["failures"]]
        if not service["acknowledged_writes"]:
            self.differences.append("The service stored nothing after its storage was switched on")
        return {
            "acknowledged": sum(entry.ok for entry in entries) + service["acknowledged_writes"],
            "failed": len(failures) + service["failed_requests"],
            "lost": len(lost) + service["lost_writes"],
            "stored": service["acknowledged_writes"],
            "requests": service["requests"],
        }

    # --- comparing ------------------------------------------------------------------------------------------

    def _compare_start(self, found: Any) -> None:
        planted = self.defects.planted
        announced = {
            "duplicate phones": (found.duplicates, planted.surplus_phones),
            "states out of form": (found.states, planted.states),
            "zip codes out of form": (found.zip_codes, planted.zip_codes),
            "phones with phone_e164": (found.with_e164, 0),
        }
        self._differ(announced)

    def _compare_back(self, before: Any, objects: frozenset[Any]) -> None:
        """Taken back, each row of the generator is what it was, byte for byte, and so are the tables."""
        back = self._look()
        self._differ(
            {
                "core.entity_phones taken back": (back.phones, before.phones),
                "core.addresses taken back": (back.addresses, before.addresses),
                "objects left after the rollback": (len(self._objects() ^ objects), 0),
            }
        )

    def _differ(self, announced: Mapping[str, tuple[object, object]]) -> None:
        for what, (found, wanted) in announced.items():
            if found != wanted:
                self.differences.append(f"{what}: {found}, not {wanted}")

    def _validate(self, since: datetime) -> None:
        with psycopg.connect(self.stage.database.dsn, autocommit=True) as conn:
            found = import_system(SYSTEM, "looking").validate(conn, since)
        self._differ({name: (number, 0) for name, number in found.items()})

    # --- looking --------------------------------------------------------------------------------------------

    def _look(self) -> Any:
        with psycopg.connect(self.stage.database.dsn, autocommit=True) as conn:
            return import_system(SYSTEM, "looking").look(conn, self.options.scale)

    def _objects(self) -> frozenset[Any]:
        with psycopg.connect(self.stage.database.dsn, autocommit=True) as conn:
            found: frozenset[Any] = import_system(SYSTEM, "looking").objects(conn)
        return found

    def _quarantined(self, report: Report) -> tuple[int, int]:
        """Rows of the generator in quarantine, and rows of the desk."""
        ((_, kept),) = exhibits(report, "quarantined:")
        place = str(kept["kept in"])
        with psycopg.connect(self.stage.database.dsn, autocommit=True) as conn:
            last = import_system(SYSTEM, "looking").last_phone(self.options.scale)
            query = f"SELECT count(*) FILTER (WHERE id <= %s), count(*) FILTER (WHERE id > %s) FROM {place}"
            row = conn.execute(query.encode(), (last, last)).fetchone()
        assert row is not None
        return int(row[0]), int(row[1])

    def _result(
        self,
        offline: float,
        objects: frozenset[Any],
        after: Any,
        watched: Canary,
        failed: tuple[str, ...],
        verified: Mapping[str, Any],
    ) -> HardenedResult:
        stage, new = self.stage, added(objects, self._objects())
        with stage.sessions.open("demo") as conn:
            report = collect(conn, stage.name, show_values=True)  # all of them were made up
        quarantined, of_desk = self._quarantined(report)
        self._differ({"rows in quarantine": (quarantined, self.defects.planted.surplus_phones)})
        skipped = {name: str(found["skipped_because"]) for name, found in exhibits(report, "skipped:")}
        plain = stage.result(
            self.options,
            report,
            system=SYSTEM,
            acknowledged=verified["acknowledged"],
            failed=verified["failed"],
            lost=verified["lost"],
            checks_failed=failed,
            figures={
                "rows in quarantine": quarantined,
                "rows of the sales desk beside them": of_desk,
                "duplicates left": after.duplicates,
                "constraints added": f"{new.constraints} ({new.checks} check, {new.foreign_keys} foreign key)",
                "indexes added": f"{new.indexes} ({new.unique} unique, {new.indexes - new.unique} for speed)",
                "tables touched": len(new.tables),
                "requests of the service": verified["requests"],
                "stored by it, once that was switched on": verified["stored"],
                "seconds online, while others wrote": stage.seconds["online"],
                "seconds in one transaction, on an idle copy": round(offline, 2),
            },
            differences=tuple(self.differences),
        )
        return HardenedResult(
            **{each.name: getattr(plain, each.name) for each in fields(PlainResult)},
            quarantined=quarantined,
            duplicates_left=after.duplicates,
            constraints_added=new.constraints,
            indexes_added=new.indexes,
            tables_touched=new.tables,
            foreign_keys_skipped=skipped,
            online_seconds=stage.seconds["online"],
            offline_seconds=round(offline, 2),
            waits=watched.waits,
        )
