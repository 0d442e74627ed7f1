"""``lockgate grants``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import context, options
from lockgate.cli.output import Output

if TYPE_CHECKING:
    from lockgate.needs import Owner


@click.command("grants")
@options.plan
@options.database
@click.option("--operator", metavar="ROLE", default="lockgate", show_default=True, help="The role that runs Lockgate.")
@click.option("--application", metavar="ROLE", multiple=True, help="A role of the application; may be repeated.")
@click.option(
    "--standing", metavar="ROLE", multiple=True, help="A role that only makes standing checks; may be repeated."
)
@options.output
def command(
    plan: Path | None,
    database: str | None,
    operator: str,
    application: tuple[str, ...],
    standing: tuple[str, ...],
    output: Output,
) -> None:
    """Print the least privileges, as SQL.

    Nothing is run. The application's roles need no right on Lockgate's schema; the SQL makes sure of it. With a
    plan it also says whose tables the plan's mappings read and fill: the triggers of a table can be made by its
    owner only. Without one no database is looked at.

    \b
    Example:
      lockgate grants my-plan --operator deploy --application shop_app | psql "$ADMIN_DATABASE_URL"
    """
    from lockgate.ledger import grants

    sql = grants(application, operator, standing)
    found: Sequence[Owner] = ()
    if plan:
        from lockgate.needs import memberships, owners

        loaded = context.load(plan)
        with context.sessions(database).open("grants") as conn:
            found = owners(conn, loaded.plan)
        sql = "\n".join(part for part in (sql, memberships(found, operator)) if part)
    if output.json:
        owned = [asdict(owner) for owner in found]
        output.object({"operator": operator, "application": list(application), "owners": owned, "sql": sql})
    else:
        output.line(sql.rstrip())
