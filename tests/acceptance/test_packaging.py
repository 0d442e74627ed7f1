"""The wheel: what a stranger installs."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # Built with the installed hatchling, so that no network is needed.
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT],
        check=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def lockgate(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of a fresh environment that holds the wheel; what it depends on is borrowed from ours."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False)
    paths = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", "venv", vars=paths))
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", "--no-deps", wheel],
        check=True,
    )
    return folder / "bin" / "lockgate"


def run(command: Path, *arguments: str, folder: Path) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.check_output([command, *arguments], cwd=folder, env=environment, text=True)


def test_the_command_works_in_an_empty_folder(lockgate: Path, tmp_path: Path) -> None:
    assert run(lockgate, "--version", folder=tmp_path).startswith("lockgate")


def test_it_is_the_wheels_code_that_runs(lockgate: Path, tmp_path: Path) -> None:
    code = "import lockgate; print(lockgate.__file__)"
    assert run(lockgate.with_name("python"), "-c", code, folder=tmp_path).startswith(str(lockgate.parents[1]))


def test_the_systems_are_found_and_their_code_runs(lockgate: Path, tmp_path: Path) -> None:
    code = (
        "from lockgate.systems import import_system, system_folder;"
        "print(system_folder('party_model').parent.name, import_system('party_model', 'counts').__name__)"
    )
    answer = run(lockgate.with_name("python"), "-c", code, folder=tmp_path)
    assert answer.split() == ["_systems", "lockgate._systems.party_model.counts"]


def test_everything_that_is_not_code_is_in_it_too(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    there = {
        f"{prefix}/{path.relative_to(folder).as_posix()}"
        for prefix, folder in (("lockgate", ROOT / "src" / "lockgate"), ("lockgate/_systems", ROOT / "systems"))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there - packed == set()
    assert {Path(name).suffix for name in packed} >= {".sql", ".yaml", ".typed"}


def test_nothing_else_is_in_it(wheel: Path) -> None:
    packed = zipfile.ZipFile(wheel).namelist()
    outside = [name for name in packed if not name.startswith("lockgate/") and ".dist-info/" not in name]
    assert outside == []
    assert [name for name in packed if "__pycache__" in name or "tests" in name] == []
