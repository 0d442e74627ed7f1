"""``lockgate backup``."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import context, options, secrets
from lockgate.cli.output import Output
from lockgate.errors import UsageError

if TYPE_CHECKING:
    from lockgate.backup.make import Made
    from lockgate.backup.prove import Proof
    from lockgate.backup.retention import Retired

PLACE = Path("lockgate-backups")


@click.command("backup")
@options.plan
@options.database
@click.option(
    "--tables",
    metavar="PATTERN",
    multiple=True,
    help="Only the tables whose schema.table fits, such as 'core.entity_*'; may be repeated. Default: all.",
)
@click.option(
    "--to",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    default=PLACE,
    show_default=True,
    help="Where the backup's own folder is made.",
)
@click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Tables that are dumped, and restored, at once.",
)
@click.option("--prove/--no-prove", default=True, show_default=True, help="Restore it, and compare every table.")
@click.option(
    "--on",
    metavar="URL",
    help="Server to restore it on, in a database that is made and dropped. Default: a throw-away server here.",
)
@click.option(
    "--from",
    "standby",
    metavar="URL",
    help="A standby of the database to read instead of it; it must have caught up. The ledger stays in the database.",
)
@click.option(
    "--keep",
    metavar="N",
    type=click.IntRange(1),
    help="Once this backup is proven, remove older ones of the same plan and tables, but for the N newest proven ones.",
)
@click.option(
    "--keep-for",
    metavar="AGE",
    type=options.DURATION,
    help="The same by age, such as 30d; with --keep too, a backup goes only if neither keeps it.",
)
@click.option(
    "--max-time",
    metavar="TIME",
    type=options.DURATION,
    help="End it, and leave nothing, if its snapshot becomes older than this, such as 2h. Proving it is not counted.",
)
@options.output
def command(
    plan: Path | None,
    database: str | None,
    tables: tuple[str, ...],
    to: Path,
    jobs: int,
    prove: bool,
    on: str | None,
    standby: str | None,
    keep: int | None,
    keep_for: timedelta | None,
    max_time: timedelta | None,
    output: Output,
) -> None:
    """Back up the database, and prove it by restoring it.

    pg_dump reads one snapshot, and in the same snapshot each table is counted and hashed; writes go on. The
    backup is then restored to a throw-away server and compared, table by table. The ledger keeps what was
    found, for the `backup` gates of plans. The folder holds the data: it opens to you alone.

    While its snapshot is held, VACUUM cannot remove rows that died since. It says so when that takes minutes, and
    --max-time ends it.

    Older backups stay unless --keep or --keep-for is given. Then they go after the new one is proven, but never
    those that a phase which is not done, or one that has dropped tables, began by.

    \b
    Example:
      lockgate backup my-plan --to /backups
      lockgate backup my-plan --tables 'core.entity_*' --jobs 4
    """
    from lockgate.backup import record
    from lockgate.backup.make import make
    from lockgate.backup.prove import prove as restored
    from lockgate.backup.prove import refuse_other_version
    from lockgate.backup.retention import Keep, Retired, retire
    from lockgate.cli.progress import shown
    from lockgate.engine.address import resolve
    from lockgate.engine.session import Sessions
    from lockgate.ledger import install

    keeping = Keep(keep, keep_for)
    if not prove and keeping != Keep():
        raise UsageError(
            "Older backups are removed only after the new one is proven",
            where="--keep and --no-prove",
            hint="Leave out --no-prove, or --keep and --keep-for.",
        )
    loaded = context.load(plan)
    name = loaded.plan.plan
    sessions = context.sessions(database, loaded.plan.settings)
    server = resolve(on, {}) if on else None
    secrets.remember(server or "", None)
    source = resolve(standby, {}) if standby else None
    secrets.remember(source or "", None)
    major = sessions.preflight().major
    if prove and server is None:
        refuse_other_version(major)
    with sessions.open("backup") as conn:
        install(conn)
    with shown(output, sessions.clock) as progress:
        made = make(
            sessions,
            to,
            name,
            patterns=tables,
            jobs=jobs,
            progress=progress,
            longest=max_time,
            standby=Sessions(source, loaded.plan.settings) if source else None,
        )
        number = record.keep(sessions, name, made)
        proof = None
        if prove:
            proof = restored(made.folder, on=server, jobs=jobs, progress=progress)
            record.proven(sessions, name, number, made, proof)
    retired = retire(sessions, number, keeping) if keeping != Keep() else Retired((), ())
    _tell(output, number, made, proof, retired)


def _tell(output: Output, number: int, made: Made, proof: Proof | None, retired: Retired) -> None:
    found = made.manifest.tables
    rows = sum(table.rows for table in found)
    if output.json:
        output.event(
            {
                "event": "result",
                "backup": number,
                "folder": str(made.folder),
                "snapshot_at": made.manifest.snapshot_at,
                "standby": made.manifest.standby,
                "manifest_sha256": made.digest,
                "tables": {table.label: {"rows": table.rows, "hash": table.hash} for table in found},
                "restored": proof is not None,
                "restore_seconds": round(proof.seconds, 3) if proof else None,
                "remarks": list(proof.remarks) if proof else [],
                "removed": [{"backup": row.id, "folder": row.folder} for row in retired.removed],
                "spared": [{"backup": spared.row.id, "why": spared.why} for spared in retired.spared],
            }
        )
        return
    output.line(f"Backup {number}: {len(found)} tables with {rows} rows in {made.folder}", "good")
    if made.manifest.standby:
        output.line(f"Taken from the standby {made.manifest.standby}.")
    if proof is None:
        output.line("It was not restored, so nothing is proven: leave out --no-prove.", "warn")
        return
    output.line(f"Restored in {proof.seconds:.1f} s: columns, rows and content of every table are the same.", "good")
    for remark in proof.remarks:
        output.line(f"Not restored there: {remark}", "warn")
    for row in retired.removed:
        output.line(f"Removed: backup {row.id} as of {row.snapshot_at}, in {row.folder}")
    for spared in retired.spared:
        output.line(f"Not removed: backup {spared.row.id}: {spared.why}", "warn")
