"""Step ``migrate``: the files of another migration tool, with its history kept as the tool keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.engine.context import StepContext
from lockgate.engine.evidence import Evidence
from lockgate.history.base import Migration, Tool
from lockgate.history.naming import found
from lockgate.migrating import moving, planned, references
from lockgate.migrating.pieces import Piece, pieces
from lockgate.plan.models import MigrateStep, Phase
from lockgate.script import foreseen
from lockgate.script.running import counted
from lockgate.steps.base import StepResult, place

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


class Runner:
    """Applies what is pending, up to one version."""

    def validate(self, loaded: LoadedPlan, phase: Phase, step: MigrateStep) -> None:
        """:raises UsageError: if the folder is not what it must be, or has no such version, or a file cannot be run."""
        tool, target = _target(loaded, phase, step)
        for migration in _until(tool, target):
            for script in (migration.up, migration.down):
                if script is not None:
                    pieces(script)

    def run(self, ctx: StepContext) -> StepResult:
        """:raises LockgateError: with the file, line and column of the statement that failed."""
        tool, target = _target(ctx.loaded, ctx.phase, ctx.step)
        with moving.opened(ctx, tool, planned.by(ctx.loaded, ctx.phase, ctx.step), ctx.run_id) as files:
            done = moving.bring(files, target)
            names = [migration.name for migration in done]
            facts = {"tool": tool.name, "history": str(files.home), "applied": names}
        what = f"{', '.join(names)} applied" if names else "nothing to do"
        evidence = Evidence(f"history:{files.home}", f"TABLE {files.home.named.as_string(None)}", facts)
        return StepResult(f"{tool.name} is at {target.version}: {what}", facts, (evidence,))

    def describe(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: MigrateStep) -> list[str]:
        """What is pending now, each file with how it runs and its locks."""
        tool, target = _target(loaded, phase, step)
        home = tool.home(conn)
        now = moving.looked(conn, tool, home)
        lines = [f"{entry.name or entry.version} is {entry.state.value}: {entry.why}" for entry in now.blocking]
        wanted = moving.todo(now, target)
        references.refuse_unfit(conn, wanted)
        history = f"{tool.name}, history {home}{'' if home.exists else ', which is made'}"
        lines.append(f"{len(wanted)} of {history}, up to {target.version}")
        for migration in wanted:
            lines.extend(_described(conn, migration))
        return lines

    def undo(self, ctx: StepContext, lose_rows: bool) -> StepResult:
        """Take back what this step applied, and nothing that was applied before it."""
        tool = planned.tool_of(ctx.loaded)
        with moving.opened(ctx, tool, planned.by(ctx.loaded, ctx.phase, ctx.step), ctx.run_id) as files:
            with ctx.sessions.open("migrate", plan_sql=True) as conn:
                mine = moving.own(conn, tool, files.home, files.by)
            moving.take_back(files, mine, by_hand=ctx.phase.undo is not None)
        names = [migration.name for migration in reversed(mine)]
        return StepResult(f"{', '.join(names)} taken back" if names else "nothing to take back", {"reverted": names})


def _target(loaded: LoadedPlan, phase: Phase, step: MigrateStep) -> tuple[Tool, Migration]:
    tool = planned.tool_of(loaded)
    return tool, found(tool.migrations(), step.migrate, place(loaded, phase, step, "migrate"))


def _until(tool: Tool, target: Migration) -> list[Migration]:
    known = list(tool.migrations())
    return known[: known.index(target) + 1]


def _described(conn: Connection[Any], migration: Migration) -> list[str]:
    if migration.up is None:
        return [f"{migration.name}: by the tool's own program"]
    parts = pieces(migration.up)
    statements = sum(len(part.items) for part in parts)
    how = "in one transaction" if len(parts) == 1 and not parts[0].alone else f"in {len(parts)} parts, each resumable"
    back = "" if migration.reversible else "; has no down script"
    return [f"{migration.name}: {counted(statements)}, {how}{back}", *_effects(conn, parts)]


def _effects(conn: Connection[Any], parts: Sequence[Piece]) -> list[str]:
    items = [item for part in parts for item in part.items]
    does = foreseen.told(conn, items)
    return [f"  {item.name}: {line}" for item, lines in zip(items, does, strict=True) for line in lines]
