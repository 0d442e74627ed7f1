"""The pages about the command line say what the command line says."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path

import click
import pytest

from lockgate.cli import reference
from lockgate.cli.lazy import LazyGroup
from lockgate.cli.main import COMMANDS, cli
from lockgate.errors import ExitCode

DOCS = Path(__file__).parents[3] / "docs"
ROOT = click.Context(cli, info_name="lockgate")


def load(name: str) -> click.Command:
    """The command of a name, such as ``apply`` or ``history apply``."""
    command: click.Command | None = cli
    for word in name.split():
        assert isinstance(command, click.Group)
        command = command.get_command(ROOT, word)
    assert command is not None
    return command


def lazy(name: str) -> LazyGroup:
    group = load(name)
    assert isinstance(group, LazyGroup)
    return group


GROUPS = {name for name in COMMANDS if isinstance(load(name), LazyGroup)}
EVERY = {
    **COMMANDS,
    **{f"{name} {one}": text for name in sorted(GROUPS) for one, text in lazy(name).commands_help.items()},
}


def test_the_page_of_commands_is_what_the_help_says() -> None:
    written = (DOCS / "commands.md").read_text()
    assert written == reference.markdown(), "run: python -m lockgate.cli.reference > docs/commands.md"


@pytest.mark.parametrize("name", EVERY)
def test_every_command_is_documented(name: str) -> None:
    assert f"\n## lockgate {name}\n" in (DOCS / "commands.md").read_text()


@pytest.mark.parametrize("group", [cli, *(lazy(name) for name in sorted(GROUPS))], ids=lambda group: group.name)
def test_every_command_module_is_listed(group: LazyGroup) -> None:
    package = import_module(group.package)
    assert package.__file__ is not None
    modules = {path.stem for path in Path(package.__file__).parent.glob("*.py")} - {"__init__"}
    assert modules == set(group.commands_help)


@pytest.mark.parametrize("name", EVERY)
def test_help_begins_with_the_line_of_the_list_and_has_an_example(name: str) -> None:
    command = load(name)
    assert command.name == name.rsplit(maxsplit=1)[-1]
    assert (command.help or "").startswith(EVERY[name])
    assert f"\b\nExample:\n  lockgate {name}" in inspect.cleandoc(command.help or "")


@pytest.mark.parametrize("name", EVERY)
def test_every_option_says_what_it_does(name: str) -> None:
    for param in load(name).params:
        if isinstance(param, click.Option):
            assert param.help, f"{name} {param.opts}"


@pytest.mark.parametrize("name", sorted(set(EVERY) - {"schema"} - GROUPS))
def test_every_command_speaks_to_programs_too(name: str) -> None:
    options = {opt for param in load(name).params for opt in param.opts}
    assert {"--format", "--no-color"} <= options


def test_every_exit_code_is_documented() -> None:
    text = (DOCS / "exit-codes.md").read_text()
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.M)}
    assert documented == {int(code) for code in ExitCode}
