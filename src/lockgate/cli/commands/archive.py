"""``lockgate archive``."""

from __future__ import annotations

from lockgate.cli.lazy import LazyGroup

command = LazyGroup(
    "archive",
    package="lockgate.cli.commands.archiving",
    commands_help={
        "erase": "Erase the rows of one person from archived tables.",
        "hold": "Put a legal hold on archived tables.",
        "release": "Release legal holds.",
    },
    help="""Erase a person's rows from archived tables, and hold tables for a court.

    Archived tables are read-only for everybody. These commands are the only way to take one person's rows out of
    them, and to keep all of a table whatever else is asked for. The ledger says who did it, when and why.

    \b
    Example:
      lockgate archive erase --all --where-column entity_id --value 4711 --reason "request 2026-114" --dry-run
      lockgate archive hold core.entities --reason "case 12/2026"
    """,
)
