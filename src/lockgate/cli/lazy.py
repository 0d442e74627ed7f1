"""A command group that imports a command only when it is asked for.

``lockgate --help`` answers from the table below: importing the database driver, the plan's models and the
parser would make it wait for half a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import click


class LazyGroup(click.Group):
    """A group whose commands live in modules ``<package>.<name>``, each with a command named ``command``.

    :param commands_help: name of a command -> the line that says what it does.
    """

    def __init__(self, name: str, *, package: str, commands_help: Mapping[str, str], help: str) -> None:
        super().__init__(name, help=help)
        self.package = package
        self.commands_help = commands_help

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands_help)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands_help:
            return None
        found = import_module(f"{self.package}.{cmd_name}").command
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.commands_help and not name.startswith("-"):
            from lockgate.suggest import nearest

            known = nearest(name, self.commands_help)
            meant = f" Did you mean {known}?" if known else ""
            raise click.UsageError(f"There is no command {name!r}.{meant}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.commands_help.items()))
