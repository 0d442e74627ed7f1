"""The pages about the command line say what the command line says."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import click
import pytest

from lockgate.cli import reference
from lockgate.cli.main import COMMANDS, cli
from lockgate.errors import ExitCode

DOCS = Path(__file__).parents[3] / "docs"
ROOT = click.Context(cli, info_name="lockgate")


def load(name: str) -> click.Command:
    command = cli.get_command(ROOT, name)
    assert command is not None
    return command


def test_the_page_of_commands_is_what_the_help_says() -> None:
    written = (DOCS / "commands.md").read_text()
    assert written == reference.markdown(), "run: python -m lockgate.cli.reference > docs/commands.md"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    assert f"\n## lockgate {name}\n" in (DOCS / "commands.md").read_text()


def test_every_command_module_is_listed() -> None:
    package = Path(reference.__file__).parent / "commands"
    modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
    assert modules == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_the_line_of_the_list_and_has_an_example(name: str) -> None:
    command = load(name)
    assert command.name == name
    assert (command.help or "").startswith(COMMANDS[name])
    assert f"\b\nExample:\n  lockgate {name}" in inspect.cleandoc(command.help or "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name: str) -> None:
    for param in load(name).params:
        if isinstance(param, click.Option):
            assert param.help, f"{name} {param.opts}"


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"schema"}))
def test_every_command_speaks_to_programs_too(name: str) -> None:
    options = {opt for param in load(name).params for opt in param.opts}
    assert {"--format", "--no-color"} <= options


def test_every_exit_code_is_documented() -> None:
    text = (DOCS / "exit-codes.md").read_text()
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.M)}
    assert documented == {int(code) for code in ExitCode}
