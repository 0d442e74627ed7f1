"""The small shop of ``fixtures/shop``: its old model in a database, and its plan in a folder."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from click.testing import CliRunner, Result

from lockgate.cli.main import cli

FIXTURE = Path(__file__).parent / "fixtures" / "shop"


@dataclass(frozen=True)
class Shop:
    """A shop whose commands are given as a user would give them.

    :param plan: the plan's folder, a copy that a test may change.
    """

    dsn: str
    plan: Path

    def run(self, *words: str, code: int | None = 0) -> Result:
        """A command; ``{plan}`` in a word is the plan's folder.

        :param code: the exit code that is expected.
        """
        given = [word.replace("{plan}", str(self.plan)) for word in words]
        # What is asked for must not depend on the terminal that the tests run in.
        result = CliRunner(env={"DATABASE_URL": self.dsn, "COLUMNS": "120"}).invoke(cli, given, prog_name="lockgate")
        assert code is None or result.exit_code == code, f"{given} ended with {result.exit_code}:\n{result.output}"
        return result

    def events(self, *words: str, code: int = 0) -> list[dict[str, Any]]:
        """The JSON lines that a command prints."""
        return [json.loads(line) for line in self.run(*words, "--format", "json", code=code).stdout.splitlines()]

    def object(self, *words: str, code: int = 0) -> dict[str, Any]:
        """The JSON object that a command prints."""
        found = json.loads(self.run(*words, "--format", "json", code=code).stdout)
        assert isinstance(found, dict)
        return found

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """What the application, or its DBA, does meanwhile."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            cursor = conn.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def finish(self) -> None:
        """Apply the whole plan, its approval included."""
        self.run("apply", "{plan}", "--to", "subscribers")
        self.run("approve", "orders", "--by", "Ana", "--plan", "{plan}", "--yes")
        self.run("apply", "{plan}")


def make(dsn: str, folder: Path) -> Shop:
    """The old model filled, the plan copied into ``folder``."""
    fill(dsn)
    return Shop(dsn, copy_plan(folder))


def fill(dsn: str) -> None:
    """Make the old model in an empty database."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute((FIXTURE / "legacy.sql").read_bytes())


def copy_plan(folder: Path) -> Path:
    """The plan in a folder within this one."""
    return Path(shutil.copytree(FIXTURE, folder / "shop"))
