"""Processes of the demo's project, with a project of a few lines."""

from __future__ import annotations

import threading
from pathlib import Path

import psutil
import pytest

from lockgate.demo.project import Project
from lockgate.engine.clock import SystemClock
from lockgate.errors import Interrupted, LockgateError
from tests.waiting import wait_until

MAIN = """
import json, os, signal, sys, time
command, *arguments = sys.argv[1:]
if command == "echo":
    print("a line", file=sys.stderr)
    print(json.dumps([os.environ["PARTY_MODEL_DATABASE"], arguments]))
if command == "fail":
    print("could not connect to postgresql://me:secret@host/db", file=sys.stderr)
    sys.exit(3)
if command == "silent":
    sys.exit(0)
if command in ("serve", "sleep", "short"):
    print(json.dumps({"pid": os.getpid()}), flush=True)
    print("late words", file=sys.stderr, flush=True)
    if command == "serve":
        assert arguments[0] == "--with-parent"
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if command != "short":
        time.sleep(600)
"""


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def project(tmp_path: Path, stop: threading.Event) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "__main__.py").write_text(MAIN)
    return Project(folder, tmp_path, SystemClock(), stop)


def test_a_command_answers_and_what_it_says_meanwhile_is_told(project: Project) -> None:
    told: list[str] = []
    assert project.ask("a dsn", "echo", 1, "two", told=told.append) == ["a dsn", ["1", "two"]]
    assert told == ["a line"]


def test_a_command_that_fails_says_why_without_a_password(project: Project) -> None:
    with pytest.raises(LockgateError, match="fail failed") as failed:
        project.ask("", "fail")
    assert failed.value.why == "could not connect to postgresql://me:***@host/db"


def test_a_command_ends_when_the_demo_is_stopped(project: Project, stop: threading.Event) -> None:
    stop.set()
    with pytest.raises(Interrupted):
        project.ask("", "sleep")


def test_a_process_runs_until_it_is_stopped(project: Project) -> None:
    with project.running("", "serve") as running:
        process = psutil.Process(running.said["pid"])
        assert process.is_running()
        running.stop()
        assert not process.is_running()
        running.stop()


def test_a_process_ends_with_the_block_also_when_that_fails(project: Project) -> None:
    running = project.running("", "serve")
    process = psutil.Process(running.__enter__().said["pid"])
    assert not running.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    assert not process.is_running()


def test_a_process_that_does_not_start_or_ends_by_itself_is_a_failure(project: Project) -> None:
    with pytest.raises(LockgateError, match="silent failed"), project.running("", "silent"):
        pass
    with pytest.raises(LockgateError, match="short failed") as failed, project.running("", "short") as running:
        wait_until(lambda: running.process.poll() is not None)
    assert failed.value.why == "late words"


def test_a_process_that_ends_before_it_is_ready_is_a_failure(project: Project) -> None:
    with pytest.raises(LockgateError, match="short failed"), project.running("", "short", ready=lambda said: False):
        pass


def test_waiting_for_a_process_ends_when_the_demo_is_stopped(project: Project, stop: threading.Event) -> None:
    stop.set()
    with pytest.raises(Interrupted), project.running("", "serve", ready=lambda said: False):
        pass
