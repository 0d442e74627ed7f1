"""``lockgate init``."""

from __future__ import annotations

import re
from pathlib import Path

import click

from lockgate.cli import context, options
from lockgate.cli.output import Output
from lockgate.errors import UsageError


@click.command("init")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@options.database
@click.option("--table", metavar="SCHEMA.TABLE", help="The table to begin with. Default: the largest with a key.")
@click.option(
    "--migrations",
    type=click.Path(path_type=Path),
    help="Your existing folder of migrations; the plan says where it stands.",
)
@click.option("--name", help="The plan's name. Default: the folder's.")
@options.output
def command(
    folder: Path,
    database: str | None,
    table: str | None,
    migrations: Path | None,
    name: str | None,
    output: Output,
) -> None:
    """Write a plan folder to start from.

    The plan copies one table of the database into a new one and keeps the copy in step. It runs as it is;
    its comments say what to change.

    \b
    Example:
      lockgate init my-plan --database postgresql://me@db.example/shop --migrations migrations
    """
    from lockgate.scaffold import scaffold
    from lockgate.scaffold.migrations import look

    plan = name or re.sub(r"[^A-Za-z0-9_-]+", "-", folder.resolve().name).strip("-_")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,62}", plan):
        raise UsageError(
            f"{plan!r} cannot be the name of a plan",
            why="A name begins with a letter; letters, digits, - and _ follow.",
            hint="Give another one with --name.",
        )
    team = look(migrations) if migrations else None
    with context.sessions(database).open("init") as conn:
        made = scaffold(conn, folder, name=plan, table=table, migrations=team)
    if output.json:
        output.object(
            {
                "plan": made.name,
                "folder": str(folder),
                "source": made.source,
                "tables_found": made.tables,
                "files": [str(file) for file in made.files],
            }
        )
        return
    output.line(f"Plan {made.name} begins with {made.source} (found {made.tables} tables):", "title")
    for file in made.files:
        output.line(f"  {folder / file}")
    output.line(f"Next: read {folder / 'plan.yaml'}, then run `lockgate plan {folder}`; it touches nothing.")
