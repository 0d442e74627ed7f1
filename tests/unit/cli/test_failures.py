"""Every error ends as what, where, why and what to do, with its exit code and without a secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click
import psycopg
import pytest
from click.testing import CliRunner, Result

from lockgate.cli import secrets
from lockgate.cli.main import Cli
from lockgate.errors import (
    AwaitingApproval,
    AwaitingTime,
    ConnectionFailed,
    GateRefused,
    LeaseHeld,
    LockgateError,
    PlanChanged,
)


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_known", set())
    monkeypatch.delenv("LOCKGATE_DEBUG", raising=False)


def invoke(body: Callable[[], Any], *args: str) -> Result:
    """Run a group of one command ``do`` whose body is given."""

    class One(Cli):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            @click.command("do")
            @click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
            @click.option("--no-color", is_flag=True)
            def do(form: str, no_color: bool) -> Any:
                return body()

            return do if cmd_name == "do" else None

    group = One("lockgate", package="nowhere", commands_help={"do": "Do it."}, help="Help.")
    return CliRunner().invoke(group, ["do", *args], prog_name="lockgate")


def failing(error: BaseException) -> Callable[[], Any]:
    def body() -> Any:
        raise error

    return body


def test_the_four_parts_stand_in_four_lines() -> None:
    error = LockgateError("It broke", where="plan.yaml:3:1", why="first\nsecond", hint="Mend it.")
    result = invoke(failing(error))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == ("Error: It broke\n  Where: plan.yaml:3:1\n  Why: first\n       second\n  Do: Mend it.\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LockgateError("x"), 1),
        (ConnectionFailed("x"), 2),
        (GateRefused("x"), 3),
        (AwaitingApproval("x"), 4),
        (AwaitingTime("x"), 5),
        (PlanChanged("x"), 6),
        (LeaseHeld("x"), 8),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (click.UsageError("x"), 2),
        (ValueError("x"), 1),
    ],
)
def test_exit_codes(error: BaseException, code: int) -> None:
    assert invoke(failing(error)).exit_code == code


def test_a_command_may_return_its_exit_code() -> None:
    assert invoke(lambda: 10).exit_code == 10
    assert invoke(lambda: None).exit_code == 0


def test_json_puts_the_error_into_an_object_on_stdout() -> None:
    error = GateRefused("Closed", where="phase b", hint="Open it.")
    result = invoke(failing(error), "--format", "json")
    assert result.exit_code == 3
    assert result.stderr == ""
    assert json.loads(result.stdout) == {
        "error": {"kind": "GateRefused", "exit_code": 3, "what": "Closed", "where": "phase b", "do": "Open it."}
    }


def test_json_also_when_the_words_themselves_are_wrong() -> None:
    result = invoke(lambda: None, "--format=json", "--bogus")
    assert json.loads(result.stdout)["error"]["kind"] == "UsageError"
    assert result.exit_code == 2


def test_a_bug_names_its_class_and_place_but_not_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    result = invoke(failing(KeyError("a customer's name")))
    assert result.exit_code == 1
    assert "This is a bug in Lockgate: KeyError" in result.stderr
    assert "LOCKGATE_DEBUG=1" in result.stderr
    assert "customer" not in result.stderr
    assert "Traceback" not in result.stderr
    monkeypatch.setenv("LOCKGATE_DEBUG", "1")
    assert "Traceback" in invoke(failing(KeyError("x"))).stderr


def test_a_value_in_a_database_error_stays_hidden() -> None:
    error = psycopg.errors.UniqueViolation("duplicate key: (email)=(ana@example.com)")
    result = invoke(failing(error))
    assert "UniqueViolation (SQLSTATE 23505)" in result.stderr
    assert "ana@example.com" not in result.stderr


def test_a_lost_connection_is_no_bug() -> None:
    result = invoke(failing(psycopg.OperationalError("server closed the connection unexpectedly")))
    assert "The connection to the database was lost" in result.stderr
    assert "bug" not in result.stderr


def test_a_statement_that_was_cancelled_is_no_lost_connection() -> None:
    result = invoke(failing(psycopg.errors.QueryCanceled("canceling statement due to statement timeout")))
    assert "The server has cancelled a statement" in result.stderr
    assert "statement_timeout" in result.stderr
    assert "connection" not in result.stderr


def test_an_interrupt_says_how_to_go_on() -> None:
    result = invoke(failing(KeyboardInterrupt()))
    assert "`lockgate apply` goes on where it stopped" in result.stderr


def test_no_secret_gets_out(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets.remember("postgresql://ana:s3cret@db.example/shop", "also-s3cret")
    told = LockgateError("postgresql://bob:h1dden@h/d", where="s3cret", why="password=unknown", hint="also-s3cret")
    for arguments in ((), ("--format", "json")):
        result = invoke(failing(told), *arguments)
        for secret in ("s3cret", "h1dden", "unknown"):
            assert secret not in result.output
    monkeypatch.setenv("LOCKGATE_DEBUG", "1")
    assert "s3cret" not in invoke(failing(told)).stderr


def test_a_password_that_is_also_a_name_does_not_garble_messages() -> None:
    secrets.remember("postgresql://postgres:postgres@localhost/app")
    assert secrets.hidden("role postgres may not") == "role postgres may not"


def test_a_wrong_command_gets_the_nearest() -> None:
    group = Cli("lockgate", package="nowhere", commands_help={"status": "S.", "apply": "A."}, help="H.")
    result = CliRunner().invoke(group, ["stauts"], prog_name="lockgate")
    assert result.exit_code == 2
    assert "There is no command 'stauts'. Did you mean status?" in result.stderr
    assert "See `lockgate --help`." in result.stderr
