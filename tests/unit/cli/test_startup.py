"""`lockgate --help` answers at once, because it imports nothing that it does not need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "jinja2",
    "postgast",
    "psycopg",
    "pydantic",
    "rich",
    "ruamel",
    "lockgate.engine",
    "lockgate.plan",
    "lockgate.ledger",
)


def imported(*args: str) -> set[str]:
    """The modules that the command line has imported when it ends."""
    program = (
        "import sys\nfrom lockgate.cli.main import main\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", program, *args], capture_output=True, text=True, check=True)
    return set(run.stderr.split())


@pytest.mark.parametrize("args", [("--help",), ("--version",)])
def test_help_imports_none_of_what_works(args: tuple[str, ...]) -> None:
    assert sorted(name for name in imported(*args) if name.startswith(HEAVY)) == []


def test_a_folder_of_migrations_is_linted_without_the_driver(tmp_path: Path) -> None:
    (tmp_path / "1_first.sql").write_text("SELECT 1;")
    found = imported("lint", str(tmp_path))
    assert "lockgate.history.detect" in found
    heavy = ("psycopg", "pydantic", "rich", "ruamel", "jinja2", "alembic.", "django.", "lockgate.engine")
    assert sorted(name for name in found if name.startswith(heavy)) == []


def test_help_of_a_command_imports_that_command_only() -> None:
    found = imported("schema", "--help")
    assert "lockgate.cli.commands.schema" in found
    assert "lockgate.cli.commands.apply" not in found


def test_the_package_runs_as_a_module() -> None:
    run = subprocess.run([sys.executable, "-m", "lockgate", "--version"], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("lockgate ")


def test_completion_offers_commands() -> None:
    environment = {"_LOCKGATE_COMPLETE": "bash_complete", "COMP_WORDS": "lockgate st", "COMP_CWORD": "1"}
    program = "from lockgate.cli.main import main; main()"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert "status" in run.stdout
