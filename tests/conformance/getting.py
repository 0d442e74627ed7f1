"""Getting the real tools, through the ordinary clients of their registries, into a folder outside the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest

from tests.conformance.packages import CACHE, node_modules

HERE = Path(__file__).parent

T = TypeVar("T")


@cache
def dbmate() -> Path:
    """Its npm package carries the program."""
    program = node_modules("dbmate", ["dbmate@2.36.0"]) / "node_modules" / "@dbmate" / "linux-x64" / "bin" / "dbmate"
    if not program.exists():
        raise FileNotFoundError("its package holds no program for this machine")
    return program


@cache
def squawk() -> Path:
    """A linter, for the benchmarks; its npm package carries the program."""
    program = node_modules("squawk", ["squawk-cli@2.66.0"]) / "node_modules" / "@squawk-cli" / "linux-x64" / "bin"
    if not (program / "squawk").exists():
        raise FileNotFoundError("its package holds no program for this machine")
    return program / "squawk"


@cache
def goose() -> Path:
    """Built by Go, without its drivers for other databases."""
    others = "no_clickhouse no_libsql no_mssql no_mysql no_sqlite3 no_vertica no_ydb no_duckdb"
    return _built("goose", ["go", "install", "-tags", others, "github.com/pressly/goose/v3/cmd/goose@v3.30.0"])


@cache
def golang_migrate() -> Path:
    """Built by Go, with its driver for PostgreSQL alone."""
    package = "github.com/golang-migrate/migrate/v4/cmd/migrate@v4.20.1"
    return _built("migrate", ["go", "install", "-tags", "postgres", package])


@cache
def sqlx() -> Path:
    """Built by Cargo; that takes minutes."""
    folder = CACHE / "sqlx"
    features = ["--no-default-features", "--features", "postgres,rustls"]
    command = ["cargo", "install", "sqlx-cli", "--version", "0.9.0", "--root", ".", *features]
    return _got(folder / "bin" / "sqlx", folder, command)


@cache
def flyway() -> str:
    """Java's class path for the Runner beside this file."""
    folder = CACHE / "flyway"
    jars = folder / "jars"
    copy = ["mvn", "-q", "-B", "-f", str(HERE / "flyway" / "pom.xml"), "dependency:copy-dependencies"]
    _got(jars, folder, [*copy, f"-DoutputDirectory={jars}"])
    path = f"{jars}/*:{folder}"
    _got(folder / "Runner.class", folder, ["javac", "-cp", path, "-d", ".", str(HERE / "flyway" / "Runner.java")])
    return path


def or_skip(get: Callable[[], T], tool: str) -> T:
    """The tool; the test is skipped, with the reason, where it cannot be had."""
    try:
        return get()
    except OSError as error:
        pytest.skip(f"{tool} cannot be had here: {error}")


def _built(name: str, command: list[str]) -> Path:
    folder = CACHE / "bin"
    return _got(folder / name, folder, command, GOBIN=str(folder))


def _got(wanted: Path, folder: Path, command: list[str], **environment: str) -> Path:
    """:raises OSError: if it is not there after the command."""
    if not wanted.exists():
        if shutil.which(command[0]) is None:
            raise FileNotFoundError(f"there is no {command[0]}, which would get it")
        folder.mkdir(parents=True, exist_ok=True)
        ended = subprocess.run(
            command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
        )
        if not wanted.exists():
            raise OSError(f"`{' '.join(command)}` failed: {ended.stderr.strip()[-300:] or ended.stdout[-300:]}")
    return wanted
