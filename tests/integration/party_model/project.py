"""The project's commands and its service as processes of their own, as the demo starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[3] / "systems" / "party_model"


def command(dsn: str, *arguments: object) -> Any:
    """Run a command; its answer."""
    done = subprocess.run(
        [sys.executable, PROJECT, *map(str, arguments)],
        env=_environment(dsn), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def service(dsn: str, *arguments: object) -> Iterator[str]:
    """The service, running; its URL."""
    process = subprocess.Popen(
        [sys.executable, PROJECT, "service", *map(str, arguments)],
        env=_environment(dsn), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            yield json.loads(line)["url"]
        finally:
            process.terminate()


def _environment(dsn: str) -> dict[str, str]:
    return {**os.environ, "PARTY_MODEL_DATABASE": dsn, "PARTY_MODEL_SERVICE_PASSWORD": "test"}
