"""``lockgate restore``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import context, options
from lockgate.cli.output import Output

if TYPE_CHECKING:
    from lockgate.backup.restore import Restored

SHOWN = 30


@click.command("restore")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@options.database
@click.option(
    "--table",
    "tables",
    metavar="PATTERN",
    multiple=True,
    help="Only the tables whose schema.table fits, such as 'core.entity_*'; may be repeated.",
)
@click.option(
    "--schema", "schemas", metavar="NAME", multiple=True, help="Only this schema, with all in it; may be repeated."
)
@options.output
def command(
    folder: Path, database: str | None, tables: tuple[str, ...], schemas: tuple[str, ...], output: Output
) -> None:
    """Restore tables, a schema or a whole database from a backup.

    FOLDER is one that `lockgate backup` made; each of its files is checked first. Nothing that is there is
    overwritten: what is in the way is named, and nothing is changed. All is done in one transaction, and
    stays only if columns, rows and content of every table are what was backed up. What a table needs (its
    schema, types, functions) is made if it is not there. What cannot be restored, such as a foreign key to
    a table that is not there or the grants of a role that does not exist, is listed with its SQL. The
    ledger, schema lockgate, is left alone.

    \b
    Example:
      lockgate restore /backups/shop-20260301T020000Z --table old.orders
      lockgate restore /backups/shop-20260301T020000Z --database postgresql://me@db.example/empty
    """
    from lockgate.backup.restore import Wanted, restore
    from lockgate.cli.progress import shown

    sessions = context.sessions(database)
    sessions.preflight()
    with shown(output, sessions.clock) as progress:
        restored = restore(sessions, Wanted(folder, tables, schemas, progress=progress))
    _tell(output, folder, restored)
    with sessions.open("restore", read_only=True) as conn:
        context.warn_of_copy(conn)


def _tell(output: Output, folder: Path, restored: Restored) -> None:
    if output.json:
        output.event(
            {
                "event": "result",
                "folder": str(folder),
                "backup": restored.backup,
                "snapshot_at": restored.manifest.snapshot_at,
                "tables": {table.label: {"rows": table.rows, "hash": table.hash} for table in restored.tables},
                "seconds": round(restored.seconds, 3),
                "missing": [asdict(missing) for missing in restored.missing],
                "changed": restored.changed,
                "schema_changed": list(restored.schema_changed),
                "erased_before": [
                    {"table": table, "rows": rows, "because": because} for table, rows, because in restored.erased
                ],
            }
        )
        return
    count, rows = len(restored.tables), sum(table.rows for table in restored.tables)
    what = f"{count} table{'' if count == 1 else 's'} with {rows} rows"
    output.line(f"Restored {what} in {restored.seconds:.1f} s, as of {restored.manifest.snapshot_at}.", "good")
    output.line("Columns, rows and content of every table are what was backed up.", "good")
    changed = [line for lines in restored.changed.values() for line in lines] + list(restored.schema_changed)
    for line in changed[:SHOWN]:
        output.line(f"Not as it was: {line}", "warn")
    if len(changed) > SHOWN:
        output.line(f"... and {len(changed) - SHOWN} more; --format json lists all.", "warn")
    for table, erased, because in restored.erased:
        output.line(
            f"Back again: {erased} rows that were erased from {table} after this backup was made "
            f"({'; '.join(because)}): erase them again.",
            "warn",
        )
    for missing in restored.missing[:SHOWN]:
        output.line(f"Not restored: {missing.what}: {missing.why}", "warn")
        if missing.sql:
            output.line(f"  Its SQL: {' '.join(missing.sql.split())}")
    if len(restored.missing) > SHOWN:
        output.line(f"... and {len(restored.missing) - SHOWN} more; --format json lists all.", "warn")
