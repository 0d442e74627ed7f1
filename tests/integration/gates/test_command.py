"""The gate that asks an outside program."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import indent

import pytest

from lockgate.engine import runner
from lockgate.errors import GateRefused
from tests.integration.engine.plans import rows, sessions, write_plan
from tests.waiting import lives, wait_until

pytestmark = pytest.mark.one_server  # it asks a program and no server

PLAN = """
phases:
  - id: retire
    before:
{gate}
    steps: [{{sql: CREATE TABLE one (x int)}}]
"""


def ask(dsn: str, folder: Path, gate: str) -> None:
    """Run a plan with this gate."""
    runner.apply(write_plan(folder, PLAN.format(gate=indent(f"- {gate}", " " * 6))), sessions(dsn))


def script(folder: Path, text: str) -> None:
    """Put a program beside the plan."""
    path = folder / "monitoring.sh"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_it_opens_when_the_program_says_yes(dsn: str, tmp_path: Path) -> None:
    script(tmp_path, 'echo "$1 of $LOCKGATE_PLAN/$LOCKGATE_PHASE: none"; pwd; echo aside >&2')
    ask(dsn, tmp_path, "command: [./monitoring.sh, 'errors; $(touch pwned)']")
    assert rows(dsn, "SELECT to_regclass('one') IS NOT NULL") == [(True,)]
    [(said,)] = rows(dsn, "SELECT payload->'result'->>'said' FROM lockgate.chain WHERE payload->>'name' ~ '^command:'")
    first, folder, aside = said.splitlines()
    assert first.startswith("errors; $(touch pwned) of ")
    assert first.endswith("/retire: none")
    assert Path(folder).resolve() == tmp_path.resolve()
    assert aside == "aside"
    assert not (tmp_path / "pwned").exists(), "no shell is asked"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("echo 12 errors; exit 3", "The log is quiet: ended with status 3: 12 errors"),
        ("exit 1", "The log is quiet: ended with status 1"),
        ("kill -9 $$", "The log is quiet: was ended by signal 9"),
        ("echo postgresql://me:secret@there/db; exit 1", "status 1: postgresql://me:***@there/db"),
    ],
)
def test_it_stays_closed_when_the_program_says_no(dsn: str, tmp_path: Path, text: str, what: str) -> None:
    script(tmp_path, text)
    with pytest.raises(GateRefused) as caught:
        ask(dsn, tmp_path, "{command: [./monitoring.sh], title: The log is quiet}")
    assert what in caught.value.what
    assert caught.value.where == "plan.yaml:6:9"
    assert "./monitoring.sh" in str(caught.value.hint)
    assert rows(dsn, "SELECT to_regclass('one')") == [(None,)]
    assert "secret" not in str(rows(dsn, "SELECT payload FROM lockgate.chain"))


def test_a_program_that_is_not_there_is_no_yes(dsn: str, tmp_path: Path) -> None:
    with pytest.raises(GateRefused, match=r"could not be run: No such file or directory"):
        ask(dsn, tmp_path, "command: [./nowhere.sh]")


def test_a_program_that_may_not_be_run_is_no_yes(dsn: str, tmp_path: Path) -> None:
    script(tmp_path, "exit 0")
    os.chmod(tmp_path / "monitoring.sh", 0o644)
    with pytest.raises(GateRefused, match=r"could not be run: Permission denied"):
        ask(dsn, tmp_path, "command: [./monitoring.sh]")


def test_a_program_that_does_not_answer_is_ended_with_its_children(dsn: str, tmp_path: Path) -> None:
    script(tmp_path, "echo begins; sleep 600 & echo $! > child; wait")
    with pytest.raises(GateRefused, match=r"did not answer within 1s: begins"):
        ask(dsn, tmp_path, "{command: [./monitoring.sh], within: 1s}")
    child = int((tmp_path / "child").read_text())
    wait_until(lambda: not lives(child), what="the child has ended")


def test_what_it_says_is_kept_within_reason(dsn: str, tmp_path: Path) -> None:
    script(tmp_path, "yes x | head -n 200000; printf '\\377\\000'")
    ask(dsn, tmp_path, "command: [./monitoring.sh]")
    [(said,)] = rows(dsn, "SELECT payload->'result'->>'said' FROM lockgate.chain WHERE payload->>'name' ~ '^command:'")
    assert 1_000 < len(said) <= 4_000
