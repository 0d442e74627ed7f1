"""Whatever still uses the old model is named by the gates of the party model's plan before anything goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

from lockgate.demo.ending import ARCHIVED, IN_ARCHIVE
from lockgate.engine import runner
from lockgate.errors import ExitCode, LockgateError
from lockgate.ledger import dropped
from lockgate.plan.load import load_plan

from .team import SYSTEM, Team

MONTH = 31
RESET = "the server's counters were set to zero, or lost in a crash"
# Another team's, in the same archive; its retention begins when it is archived.
LATER = """
plan: notes
phases:
  - id: archive
    steps:
      - archive: [core.entity_notes]
        retain: 90d
        why: Nobody takes notes any more
    undo: []
"""


@dataclass(frozen=True, slots=True)
class Planted:
    """Something that still uses a table: how it comes, how it goes, and the words that name it."""

    comes: str
    goes: str
    named: str


def planted(schema: str) -> Iterator[Planted]:
    yield Planted(
        f"CREATE VIEW dim.callers AS SELECT phone FROM {schema}.entity_phones",
        "DROP VIEW dim.callers",
        f"view dim.callers reads {schema}.entity_phones",
    )
    yield Planted(
        "CREATE FUNCTION dim.calls() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN"
        f" RETURN (SELECT count(*) FROM {schema}.entity_phones); END $$",
        "DROP FUNCTION dim.calls",
        f"function dim.calls() names {schema}.entity_phones in its text (by text)",
    )


@dataclass(frozen=True, slots=True)
class Gates:
    """The gates before a phase, asked by running it."""

    team: Team
    phase: str

    def say(self, code: ExitCode, *words: str) -> None:
        """They keep the phase from beginning, with this exit code and these words."""
        before = self.team.schema()
        with pytest.raises(LockgateError) as refused:
            self.team.apply(self.phase)
        assert refused.value.exit_code == code, refused.value
        assert refused.value.what.startswith(f"Phase {self.phase} may not start: ")
        for word in words:
            assert word in f"{refused.value.what} {refused.value.why}"
        assert self.team.schema() == before


@contextmanager
def a_line_of_code(service: Path, line: str) -> Iterator[None]:
    added = service / "late.py"
    added.write_text(f'"""Calls."""\n\nQUERY = "{line}"\n')
    yield
    added.unlink()


def plant_everything(team: Team, phase: str, schema: str, service: Path) -> None:
    """One thing after the other, each of which goes when it was named; at last the counters are set to zero."""
    gates = Gates(team, phase)
    team.let_pass(1)
    team.act(f"SELECT count(*) FROM {schema}.entity_phones")
    team.let_pass(20)
    gates.say(ExitCode.GATE_REFUSED, f"{schema}.entity_phones: 1 sequential scans between ")
    team.let_pass(MONTH)
    for each in planted(schema):
        team.act(each.comes)
        gates.say(ExitCode.GATE_REFUSED, each.named)
        team.act(each.goes)
    with a_line_of_code(service, f"SELECT phone FROM {schema}.entity_phones"):
        gates.say(ExitCode.GATE_REFUSED, "code names it: ../service/late.py:3 (entity_phones)")
    team.act("SELECT pg_stat_reset()")


@pytest.mark.one_server
@pytest.mark.slow
def test_what_still_uses_the_old_model_is_named_before_it_goes(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTY_MODEL_LOG", str(tmp_path / "service.log"))
    (tmp_path / "service.log").touch()
    project = tmp_path / "party_model"
    copytree(SYSTEM, project, ignore=ignore_patterns("__pycache__"))
    team = Team(dsn, tmp_path, project / "plan")
    team.apply("transactions")
    team.let_pass(2)
    team.apply("split_tables")

    plant_everything(team, "archive", "core", project / "service")
    team.back_up(ARCHIVED)
    Gates(team, "archive").say(ExitCode.AWAITING_TIME, "it counts anew for core.ent", RESET)
    team.let_pass(MONTH)
    team.back_up(ARCHIVED)
    team.apply("archive")

    plant_everything(team, "drop", "archive", project / "service")
    gates = Gates(team, "drop")
    gates.say(ExitCode.GATE_REFUSED, "it counts anew for archive.ent", RESET)
    team.let_pass(MONTH)
    notes = archive_later(team, tmp_path / "notes")
    gates.say(ExitCode.GATE_REFUSED, "there is no sample yet of archive.entity_notes")
    team.let_pass(10)
    gates.say(ExitCode.GATE_REFUSED, "the time is over for all but archive.entity_notes")
    team.let_pass(MONTH)
    team.back_up()
    team.back_up(IN_ARCHIVE)
    team.apply("drop")
    with team.connected() as conn:
        assert len(dropped.of_plan(conn, team.loaded.plan.plan)) == 8
        assert dropped.of_plan(conn, notes) == []
        left = "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'archive'::regnamespace AND c.relkind = 'r'"
        assert conn.execute(left.encode()).fetchall() == [("entity_notes",)]
        assert conn.execute("SELECT note FROM archive.entity_notes").fetchall() == [("a note",)]


def archive_later(team: Team, folder: Path) -> str:
    """Let another team archive a table of a name like the others'; its plan."""
    folder.mkdir()
    (folder / "plan.yaml").write_text(LATER)
    team.act("CREATE TABLE core.entity_notes (note text)", "INSERT INTO core.entity_notes VALUES ('a note')")
    loaded = load_plan(folder)
    runner.apply(loaded, team.sessions, clock=team.clock)
    return loaded.plan.plan
