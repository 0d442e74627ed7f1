"""``lockgate grants``."""

from __future__ import annotations

import click

from lockgate.cli import options
from lockgate.cli.output import Output


@click.command("grants")
@click.option("--operator", metavar="ROLE", default="lockgate", show_default=True, help="The role that runs Lockgate.")
@click.option("--application", metavar="ROLE", multiple=True, help="A role of the application; may be repeated.")
@options.output
def command(operator: str, application: tuple[str, ...], output: Output) -> None:
    """Print the least privileges, as SQL.

    Nothing is run. The application's roles need no right on Lockgate's schema; the SQL makes sure of it.

    \b
    Example:
      lockgate grants --operator deploy --application shop_app | psql "$ADMIN_DATABASE_URL"
    """
    from lockgate.ledger import grants

    sql = grants(application, operator)
    if output.json:
        output.object({"operator": operator, "application": list(application), "sql": sql})
    else:
        output.line(sql.rstrip())
