"""``lockgate schema``."""

from __future__ import annotations

import click


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of plan.yaml.

    An editor with a YAML language server completes and checks plans with it.

    \b
    Example:
      lockgate schema > plan.schema.json
      # first line of plan.yaml:  # yaml-language-server: $schema=plan.schema.json
    """
    from lockgate.plan.schema import render

    click.echo(render(), nl=False)
