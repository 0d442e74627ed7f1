"""``lockgate history``."""

from __future__ import annotations

from lockgate.cli.lazy import LazyGroup

command = LazyGroup(
    "history",
    package="lockgate.cli.commands.histories",
    commands_help={
        "status": "Compare a folder of migrations with the history in the database.",
        "apply": "Apply what is pending, and keep the tool's history.",
        "repair": "Put a history right: changed files, failed and missing migrations.",
        "adopt": "Find out where a database stands whose history is elsewhere or nowhere, and record it.",
    },
    help="""Work with the migrations of another tool, and keep its history.

    FOLDER is the folder of the migrations, or a plan that names it; which tool's it is, is told from the folder.
    Either tool can be used next: what Lockgate applies, the other one calls applied.

    \b
    Example:
      lockgate history status migrations --database postgresql://me@db.example/shop
      lockgate history apply migrations --to 20260301120000
    """,
)
