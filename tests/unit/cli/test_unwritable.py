"""A standard output that takes nothing: a full disk, a closed stream, a reader that left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = {
    "text": ["--help"],
    "much of it": ["schema"],
    "of a command": ["plan", "--help"],
    "an error as JSON": ["plan", "nowhere", "--format", "json"],
}


def run(words: list[str], redirection: str) -> subprocess.CompletedProcess[str]:
    """A command of the program, started by a shell."""
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-m", "lockgate", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("case", COMMANDS)
def test_a_full_disk_is_told(case: str) -> None:
    done = run(COMMANDS[case], ">/dev/full")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Error: The output cannot be written",
        "  Why: No space left on device",
        "  Do: Write it elsewhere; what was done is in the ledger.",
    ]


@pytest.mark.parametrize("case", COMMANDS)
def test_a_closed_output_ends_it_quietly(case: str) -> None:
    done = run(COMMANDS[case], ">&-")
    assert (done.returncode, done.stderr) == (1, "")


def test_an_error_is_no_traceback_when_nobody_can_see_it() -> None:
    assert run(["plan", "nowhere"], "2>&-").returncode == 2
