"""``docs/commands.md``, written from the commands' own help: ``python -m lockgate.cli.reference``."""

from __future__ import annotations

import inspect

import click

from lockgate.cli.main import COMMANDS, cli

_HEAD = """\
# Commands

Written by `python -m lockgate.cli.reference` from the commands' own help; a test fails when the two differ.

The address of the database is `--database`, else `DATABASE_URL`, else libpq's variables (`PGHOST`, `PGDATABASE`,
`PGSERVICE`, ...). A plan is named by its folder, as an argument or with `--plan`; without one it is the plan in the
current folder, and for commands that only look at the ledger the one plan that has a history there. Exit codes are
in [exit-codes.md](exit-codes.md).

Completion for your shell: `eval "$(_LOCKGATE_COMPLETE=bash_source lockgate)"`, with `zsh_source` or `fish_source` for
those.
"""


def markdown() -> str:
    """The whole page."""
    root = click.Context(cli, info_name="lockgate")
    parts = [_HEAD]
    for name in COMMANDS:
        command = cli.get_command(root, name)
        assert command is not None
        ctx = click.Context(command, parent=root, info_name=name)
        parts.append(_section(command, ctx))
        if isinstance(command, click.Group):
            parts += _below(command, ctx)
    return "\n".join(parts)


def _below(group: click.Group, ctx: click.Context) -> list[str]:
    found = [(name, group.get_command(ctx, name)) for name in group.list_commands(ctx)]
    return [_section(each, click.Context(each, parent=ctx, info_name=name)) for name, each in found if each is not None]


def _section(command: click.Command, ctx: click.Context) -> str:
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    lines = [f"## {ctx.command_path}", "", "```text", usage, "```", "", *_text(command.help or "")]
    options = [record for param in _options(command, ctx) if (record := param.get_help_record(ctx))]
    lines += ["", "| option | |", "| --- | --- |"]
    lines += [f"| `{_cell(name)}` | {_cell(text)} |" for name, text in options]
    return "\n".join(lines) + "\n"


def _options(command: click.Command, ctx: click.Context) -> list[click.Parameter]:
    return [param for param in command.get_params(ctx) if isinstance(param, click.Option)]


def _text(help_: str) -> list[str]:
    """The help's paragraphs; what follows ``\\b`` is an example and stays as it is."""
    paragraphs = inspect.cleandoc(help_).split("\n\n")
    lines: list[str] = []
    for paragraph in paragraphs:
        if paragraph.startswith("\b"):
            title, *example = paragraph.splitlines()[1:]
            lines += [title, "", "```text", *(line.removeprefix("  ") for line in example), "```"]
        else:
            lines += [*paragraph.splitlines(), ""]
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    click.echo(markdown(), nl=False)
