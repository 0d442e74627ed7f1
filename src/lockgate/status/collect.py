"""Reading the status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate import sqlfiles
from lockgate.archive import holds
from lockgate.engine.clock import Clock
from lockgate.engine.outline import outline
from lockgate.ledger import chain, chunks, control, home, lease, phases, standing, steps, store
from lockgate.ledger.standing import Trend
from lockgate.ledger.steps import StepRow
from lockgate.report.phases import outline as outline_of
from lockgate.status import sync, waiting
from lockgate.status.model import Chunks, Control, Held, Lease, Phase, Standing, Status, Step

if TYPE_CHECKING:
    from lockgate.engine.session import Sessions
    from lockgate.plan.load import LoadedPlan

_CHUNKED = {"map", "transform", "copy"}


def collect(
    conn: Connection[Any], plan: str, sessions: Sessions, clock: Clock, loaded: LoadedPlan | None = None
) -> Status:
    """The status of a plan by its name.

    :param conn: for reading; keeps the database's own search_path, for the plan's health queries.
    :param loaded: the plan itself, where it is at hand: then phases and gates are the file's, else the ledger's.
    :raises LedgerError: when the ledger is older or newer than this Lockgate.
    """
    planned = outline(loaded) if loaded else []
    if store.version(conn) is None:
        none = tuple(_phase(part, None, [], {}) for part in planned)
        idle = Control(False, None, None, None, None)
        first = waiting.reasons(conn, plan, none, None, idle, loaded, sessions, clock)
        return Status(plan, conn.info.dbname, none, None, idle, (), tuple(first), 0, None)
    store.require(conn)
    rows = phases.state(conn, plan)
    made = steps.of_plan(conn, plan)
    progress = {row.id: _chunks(conn, row) for row in made if row.kind in _CHUNKED and row.state != "pending"}
    found = tuple(
        _phase(part, rows.get(str(part["id"])), made, progress) for part in planned or _from_ledger(conn, plan)
    )
    wish = control.get(conn, plan)
    asked = Control(wish.paused, wish.reason, wish.workers, wish.chunk_rows, wish.updated_by)
    holder = _lease(lease.state(conn))
    copied = home.copied(conn)
    return Status(
        plan=plan,
        database=conn.info.dbname,
        phases=found,
        lease=holder,
        control=asked,
        sync=tuple(sync.targets(conn, plan, sessions.settings)),
        waiting=tuple(waiting.reasons(conn, plan, found, holder, asked, loaded, sessions, clock)),
        ledger_bytes=sum(store.size(conn).values()),
        head=chain.head(conn),
        copied=copied.what if copied else None,
        copied_release=copied.hint if copied else None,
        holds=tuple(
            Held(each.id, each.label, each.because, each.held_by, each.held_at) for each in holds.stand(conn, plan=plan)
        ),
        standing=tuple(_standing(trend) for trend in standing.trends(conn, plan, 2)),
    )


def _from_ledger(conn: Connection[Any], plan: str) -> Sequence[Mapping[str, Any]]:
    """The outline that the latest run had."""
    return outline_of(chain.entries(conn, plan, kinds=["run", "phase"])).phases


def _phase(
    part: Mapping[str, Any],
    row: phases.PhaseRow | None,
    made: Sequence[StepRow],
    progress: Mapping[int, Chunks | None],
) -> Phase:
    own = {step.step: step for step in made if step.phase == part["id"]}
    planned = {str(step["id"]): step for step in part.get("steps", [])}
    shown = []
    for name in planned or own:
        step = own.get(name)
        kind = str(planned.get(name, {}).get("kind", step.kind if step else ""))
        state = step.state if step else "pending"
        summary = step.detail.get("summary") if step and step.state == "done" else None
        shown.append(Step(name, kind, state, summary, progress.get(step.id) if step else None))
    return Phase(
        name=str(part["id"]),
        title=part.get("title"),
        state=row.state if row else "pending",
        started_at=row.started_at if row else None,
        ended_at=row.ended_at if row else None,
        steps=tuple(shown),
    )


def _chunks(conn: Connection[Any], step: StepRow) -> Chunks | None:
    found = chunks.progress(conn, step.id)
    if not found.total:
        return None
    query = sqlfiles.load("lockgate.status", "speed")
    speed = conn.execute(query, {"step_id": step.id}).fetchone() if found.done < found.total else None
    rows, blocks = speed or (None, None)
    left = found.blocks_total - found.blocks_done
    return Chunks(
        done=found.done,
        total=found.total,
        rows_read=found.rows_read,
        rows_written=found.rows_written,
        rows_per_second=rows,
        eta_seconds=left / blocks if blocks else None,
    )


def _standing(trend: Trend) -> Standing:
    check, last = trend.check, trend.last
    return Standing(
        check=check.name,
        state=trend.state,
        found=last.found if last else None,
        at=last.at if last else None,
        value=last.value if last else None,
        change=trend.change,
        failing_since=check.failing_since,
        alert_since=check.alert_since,
    )


def _lease(found: lease.LeaseState) -> Lease | None:
    if found.holder is None:
        return None
    return Lease(
        holder=found.holder,
        host=found.host or "?",
        pid=found.pid or 0,
        live=found.live,
        age_seconds=found.age.total_seconds() if found.age else 0.0,
        silent_seconds=found.silent.total_seconds() if found.silent else 0.0,
    )
