"""``lockgate standing``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import context, options, secrets, standing_text
from lockgate.cli.output import Output
from lockgate.errors import ConnectionFailed, ExitCode, LockgateError, NotLooked, UsageError

if TYPE_CHECKING:
    from lockgate.engine.session import Sessions
    from lockgate.ledger.standing import Trend
    from lockgate.plan.load import LoadedPlan
    from lockgate.standing.running import Run
    from lockgate.standing.webhook import Delivery


@click.command("standing")
@options.plan
@options.database
@click.option("--only", metavar="ID", multiple=True, help="Make this check alone, due or not; may be repeated.")
@click.option(
    "--last", type=click.IntRange(1, 100), default=5, show_default=True, help="Results of each that are told."
)
@click.option("--show", is_flag=True, help="Only tell the last results; make no check, tell no webhook.")
@click.option(
    "--prometheus",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write how all checks stand, for node_exporter's textfile collector.",
)
@options.output
def command(
    plan: Path | None,
    database: str | None,
    only: tuple[str, ...],
    last: int,
    show: bool,
    prometheus: Path | None,
    output: Output,
) -> int:
    """Make the plan's standing checks, and tell who must know.

    For cron: run it as often as the most frequent check wants; one that declares `every` is left alone until then.
    Each check only reads, has its time, and gives way to a run of the plan that needs a lock. Results go into the
    ledger. The webhook of the plan is told when an alert is raised or is over. When another run is at it already,
    this one says so and ends well.

    Exits with 0 when nothing is an alert, with 1 when something is, and with 9 when nothing is known to be one but a
    check, or all of them, could not be made.

    \b
    Example:
      lockgate standing my-plan --prometheus /var/lib/node_exporter/my-plan.prom
      lockgate standing my-plan --show --last 20
    """
    loaded = context.load(plan)
    sessions = context.sessions(database, loaded.plan.settings)
    with _not_looked():
        run, interrupted = _run(loaded, sessions, only, last, show=show)
    if run.busy is not None:
        if output.json:
            output.event({"event": "result", "exit_code": int(ExitCode.DONE), "busy": run.busy.what})
        else:
            output.line(f"{run.busy.what}. {run.busy.hint}")
        return ExitCode.DONE
    delivery = None if show or interrupted else _webhook(loaded, sessions, run)
    unwritten = _write(prometheus, loaded, run) if prometheus else None
    code = ExitCode.INTERRUPTED if interrupted else _code(run, unwritten=unwritten is not None)
    for trend in run.trends:
        _tell(output, run, trend)
    if output.json:
        _tell_programs(output, run, code, delivery, unwritten)
        return code
    output.line(*standing_text.summary(run.trends))
    if delivery and delivery.failed:
        news = "; the next run tells it again" if delivery.news else ""
        _warn(f"The webhook {delivery.to} was not told: {delivery.failed}{news}")
    elif delivery:
        output.line(f"Told {delivery.to}.", "dim")
    if unwritten:
        _warn(f"{unwritten.what}: {unwritten.where}: {unwritten.why}")
    return code


@contextmanager
def _not_looked() -> Iterator[None]:
    """What keeps all checks from being made must not look like an alert, whose code other errors share.

    :raises NotLooked: in place of each of them.
    """
    import psycopg

    from lockgate.engine import sqlerrors

    try:
        yield
    except LockgateError as error:
        if isinstance(error, UsageError) and not isinstance(error, ConnectionFailed):
            raise
        raise NotLooked(error.what, where=error.where, why=error.why, hint=error.hint) from error
    except psycopg.Error as error:
        told = sqlerrors.explain(error, "the ledger", "The standing checks could not be made")
        hint = told.hint if isinstance(error, psycopg.errors.InsufficientPrivilege) else "Run the command again."
        raise NotLooked(told.what, where=told.where, why=told.why, hint=hint) from error


def _run(loaded: LoadedPlan, sessions: Sessions, only: tuple[str, ...], last: int, *, show: bool) -> tuple[Run, bool]:
    """The run, and whether it was stopped before its end."""
    from lockgate.cli.interrupt import stop_on_signal
    from lockgate.engine.clock import SystemClock
    from lockgate.engine.context import Silent
    from lockgate.standing import running

    clock = SystemClock()
    if show:
        return running.look(loaded, sessions, last=last, clock=clock), False
    sessions.preflight()
    with stop_on_signal("the present check") as stop:
        found = running.run(loaded, sessions, only=only, last=last, clock=clock, progress=Silent(), stop=stop)
        return found, stop.is_set()


def _webhook(loaded: LoadedPlan, sessions: Sessions, run: Run) -> Delivery | None:
    from lockgate.standing.telling import tell

    webhook = loaded.plan.standing.webhook if loaded.plan.standing else None
    if webhook is None:
        return None
    secrets.keep(os.environ.get(webhook.to))
    return tell(webhook, os.environ, loaded.plan.plan, sessions, run)


def _write(file: Path, loaded: LoadedPlan, run: Run) -> LockgateError | None:
    """Why the metrics could not be written; None if they were."""
    from lockgate.standing import prometheus

    try:
        prometheus.write(file, prometheus.render(loaded.plan.plan, run.database, run.trends, run.at))
    except LockgateError as error:
        return error
    return None


def _code(run: Run, *, unwritten: bool) -> ExitCode:
    if any(trend.state == "alert" for trend in run.trends):
        return ExitCode.FAILED
    return ExitCode.UNKNOWN if run.unknown or unwritten else ExitCode.DONE


def _tell(output: Output, run: Run, trend: Trend) -> None:
    made, idle = run.made.get(trend.check.name), run.idle.get(trend.check.name)
    if output.json:
        output.event(standing_text.as_json(trend, made, idle))
        return
    for line, style in standing_text.lines(trend, made, idle):
        output.line(line, style)


def _tell_programs(
    output: Output, run: Run, code: ExitCode, delivery: Delivery | None, unwritten: LockgateError | None
) -> None:
    told = {"to": delivery.to, "news": len(delivery.news), "failed": delivery.failed} if delivery else None
    output.event(
        {
            "event": "result",
            "exit_code": int(code),
            "busy": None,
            "checks": len(run.trends),
            "made": len(run.made),
            "alerts": [trend.check.name for trend in run.trends if trend.state == "alert"],
            "unknown": run.unknown,
            "webhook": told,
            "metrics_failed": unwritten.why if unwritten else None,
        }
    )


def _warn(text: str) -> None:
    Output(to_stderr=True).line(f"Warning: {text}", "warn")
