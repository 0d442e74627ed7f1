"""What a command works on: the address of the database, and the plan by its file or by its name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.cli import secrets
from lockgate.errors import UsageError

if TYPE_CHECKING:
    from psycopg import Connection

    from lockgate.engine.session import Sessions
    from lockgate.plan.load import LoadedPlan
    from lockgate.plan.models import Settings
    from lockgate.plan.shape import Path as Place

HERE = Path()


def load(plan: Path | None) -> LoadedPlan:
    """The plan that was named, else the one in the current folder.

    :raises PlanError: with all that is wrong in it.
    :raises UsageError: when there is none.
    """
    from lockgate.plan.load import load_plan

    folder = plan or HERE
    if not folder.exists():
        raise UsageError("There is no such plan", where=str(folder), hint="Name a folder that holds plan.yaml.")
    if folder.is_dir() and not (folder / "plan.yaml").exists():
        raise UsageError(
            "There is no plan here",
            where=str(folder.resolve()),
            why="The folder holds no plan.yaml.",
            hint="Name the plan's folder, or make one with `lockgate init`.",
        )
    return load_plan(folder)


def has_plan() -> bool:
    """Whether the current folder holds a plan."""
    return (HERE / "plan.yaml").exists()


def online(plan: LoadedPlan, place: Place) -> Iterator[tuple[str, str]]:
    """What a step runs instead of its text; only asked of plans with such steps."""
    from lockgate.steps.online import statements_at

    return statements_at(plan, place)


def sessions(database: str | None, settings: Settings | None = None) -> Sessions:
    """Connections to the database that was named, or that the environment names.

    :raises UsageError: when none is named.
    """
    from lockgate.engine.address import resolve
    from lockgate.engine.session import Sessions

    dsn = resolve(database, os.environ)
    secrets.remember(dsn, os.environ.get("PGPASSWORD"))
    return Sessions(dsn, settings)


def warn_of_copy(conn: Connection[Any]) -> None:
    """Say on standard error that the ledger was written in another database: reading it, one ought to know."""
    from lockgate.cli.output import Output
    from lockgate.ledger import copied

    error = copied(conn)
    if error is not None:
        Output(to_stderr=True).line(f"Warning: {error.what}\n  Where: {error.where}\n  Why: {error.why}", "warn")


def plan_name(plan: Path | None, conn: Connection[Any]) -> str:
    """Name of the plan that was given, or that is in the current folder, or that alone has a history here.

    :raises UsageError: when it could be several or none.
    """
    if plan or has_plan():
        return load(plan).plan.plan
    from lockgate.report.plans import names

    known = names(conn)
    if len(known) == 1:
        return known[0]
    if known:
        raise UsageError(
            "Several plans have a history in this database",
            why=f"They are: {', '.join(known)}.",
            hint="Name the folder of one of them.",
        )
    raise UsageError(
        "No plan was named, and none has a history in this database",
        hint="Name the plan's folder: `lockgate status my-plan`.",
    )
