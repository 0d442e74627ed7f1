"""``lockgate snapshot``."""

from __future__ import annotations

from lockgate.cli.lazy import LazyGroup

command = LazyGroup(
    "snapshot",
    package="lockgate.cli.commands.snapshots",
    commands_help={
        "mark": "Measure the tables and write a mark, right before a snapshot is taken.",
        "prove": "Compare a database made of a snapshot with this one, and note it as a backup.",
    },
    help="""Prove a provider's snapshot or branch as a backup.

    For a database that is too large to be dumped and restored here. First `mark`, then have the provider take the
    snapshot or branch and make a database of it, then `prove` with the address of that.

    \b
    Example:
      lockgate snapshot mark my-plan
      lockgate snapshot prove my-plan --at postgresql://me@copy.example/shop
    """,
)
