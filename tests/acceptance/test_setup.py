"""`make install` on machines that lack something."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """As much of a fresh clone as set-up looks at before it installs."""
    folder = tmp_path / "clone"
    (folder / "tools").mkdir(parents=True)
    for name in ("Makefile", "tools/install", "pyproject.toml", "constraints.txt"):
        shutil.copy2(ROOT / name, folder / name)
    return folder


def make(clone: Path, *arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(clone.parent), "PYTHON": python}
    return subprocess.run(["make", *arguments], cwd=clone, env=environment, check=False, capture_output=True, text=True)


def left(clone: Path) -> set[str]:
    return {path.name for path in clone.iterdir()}


def test_without_a_new_enough_python_it_says_so_and_makes_nothing(clone: Path) -> None:
    before = left(clone)
    done = make(clone, "install", python="/bin/false")
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert left(clone) == before


def test_without_ensurepip_it_says_what_to_install_and_makes_nothing(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "lacking").mkdir()
    (tmp_path / "lacking" / "ensurepip.py").write_text("raise ImportError\n")
    python = tmp_path / "python3"
    python.write_text(f"#!/bin/sh\nPYTHONPATH='{tmp_path / 'lacking'}' exec '{sys.executable}' \"$@\"\n")
    python.chmod(0o755)
    before = left(clone)

    done = make(clone, "test", python=str(python))

    assert done.returncode != 0
    assert "apt-get install python3-venv" in done.stderr
    assert left(clone) == before


def test_when_the_installation_fails_nothing_half_made_is_left(clone: Path) -> None:
    (clone / "constraints.txt").write_text("this is not a constraint\n")
    before = left(clone)
    done = make(clone, "install")
    assert done.returncode != 0
    assert "nothing of it is left" in done.stderr
    assert left(clone) == before


def test_the_stamp_and_not_the_folder_says_that_set_up_is_done(clone: Path) -> None:
    (clone / ".venv").mkdir()
    assert "tools/install" in make(clone, "--dry-run", "test").stdout

    stamp = clone / ".make" / "installed"
    stamp.parent.mkdir()
    stamp.touch()
    assert "tools/install" not in make(clone, "--dry-run", "test").stdout

    os.utime(stamp, (0, 0))
    assert "tools/install" in make(clone, "--dry-run", "test").stdout


def test_help_lists_every_target(clone: Path) -> None:
    shown = make(clone, "help").stdout
    for target in ("install", "demo", "test", "check", "bench", "conformance", "clean"):
        assert f"make {target}" in shown
