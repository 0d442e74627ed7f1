"""The cutover itself: both models are compared without a lock; then one short transaction hands over."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.catalog.relations import Relation
from lockgate.checks.reconcile import compare
from lockgate.cutover import closing, record, scope, targets, wayback
from lockgate.cutover.record import Cutover
from lockgate.cutover.scope import Scope
from lockgate.engine import recording
from lockgate.engine.context import StepContext
from lockgate.engine.evidence import Evidence
from lockgate.engine.faults import fault
from lockgate.errors import CheckFailed, LockgateError, PlanError
from lockgate.mapping.definition import Definition, from_step
from lockgate.plan.models import CutoverStep
from lockgate.script.located import allowed
from lockgate.script.running import strong_lock
from lockgate.steps import refusals
from lockgate.steps.base import place
from lockgate.steps.holding import await_last, drain, hold_writers, log_all, sequences, set_sequences, switch


class Handover:
    """One try of handing over, up to the transaction in which it happens; what is handed over a kind of step says."""

    def __init__(self, ctx: StepContext, conn: Connection[Any]) -> None:
        self._ctx = ctx
        self._conn = conn
        self._place = partial(place, ctx.loaded, ctx.phase, ctx.step)
        self._longest = 0.0
        self._alone_since: float | None = None

    def _scope(self) -> Scope:
        """What is closed, and what the application takes over.

        :raises PlanError: if that cannot be.
        """
        raise NotImplementedError

    def _way_back(self) -> list[Definition]:
        """The mappings that keep the old model in step afterwards."""
        raise NotImplementedError

    def _switch(self, conn: Connection[Any], found: Scope, cutover: Cutover, begun: float) -> Sequence[Relation]:
        """What else is done in the transaction, while writers are held up.

        :return: the tables that are closed, by the names that they have then.
        """
        raise NotImplementedError

    def do(self) -> Cutover:
        found = self._scope()
        cutover = self._prepare(found)
        fault("cutover.prepared")
        try:
            with self._ctx.fenced(self._conn):
                targets.get_ready(self._conn, cutover.back)
            self._compare(found, cutover)
            fault("cutover.compared")
            self._hand_over(found, cutover)
        except BaseException:
            # The logs of the way back would grow for as long as nobody tries again.
            with contextlib.suppress(psycopg.Error, LockgateError), self._ctx.fenced(self._conn):
                targets.wait(self._conn, cutover.back)
            raise
        over = record.find(self._conn, self._ctx.plan, self._ctx.step_id)
        assert over is not None  # it is never removed but by a rollback
        return over

    # --- without a lock -------------------------------------------------------------------------------------

    def _prepare(self, found: Scope) -> Cutover:
        ctx, conn = self._ctx, self._conn
        definitions = self._way_back()
        compiled = wayback.understand(conn, definitions, found.old)
        with ctx.fenced(conn):
            cutover = record.begin(conn, ctx.plan, ctx.phase.id, ctx.step_id)
            _refuse_changed(conn, ctx, cutover, definitions)
            record.takes(conn, cutover.id, [group.target_id for group in found.groups])
            for mapping in compiled:
                record.returns_by(conn, cutover.id, wayback.register(conn, ctx.plan, mapping))
        prepared = record.find(conn, ctx.plan, ctx.step_id)
        assert prepared is not None
        log_all(ctx, conn, prepared.back)
        return prepared

    def _compare(self, found: Scope, cutover: Cutover) -> None:
        """Both ways, row by row, while writes go on."""
        ctx, conn = self._ctx, self._conn
        drain(self._ctx, self._conn, cutover.targets)
        for group in found.groups:
            for mapping in group.compiled:
                result_of = compare(conn, group.target_id, mapping.name)
                for each in result_of.evidence:
                    self._keep(each)
                if not result_of.passed:
                    raise CheckFailed(result_of.what, where=self._place(), hint=result_of.hint)
                ctx.progress.event(f"{result_of.what}")
        for target in cutover.back:
            compared = wayback.compare(conn, target)
            result = {"added": compared.added, "changed": compared.changed, "kept": compared.kept}
            self._keep(Evidence(f"way_back:{compared.table}", compared.query, result))
            if compared.changed:
                raise CheckFailed(
                    f"The way back would change {compared.changed} rows of {compared.table} that nobody has changed",
                    where=self._place("back"),
                    why="What it yields of the new model is not what the old one holds.",
                    hint="Leave out the columns that cannot be had back, or yield them as they were.",
                )
            ctx.progress.event(f"{compared.table}: the way back would change no row, and add {compared.added}")

    def _keep(self, evidence: Evidence) -> None:
        ctx = self._ctx
        with ctx.fenced(self._conn):
            recording.evidence(self._conn, ctx.plan, ctx.phase.id, ctx.step_id, (evidence,), run_id=ctx.run_id)

    # --- with one -------------------------------------------------------------------------------------------

    def _hand_over(self, found: Scope, cutover: Cutover) -> None:
        ctx = self._ctx
        hint = "Look again which model is the one, and write that."
        numbered = [each for group in found.groups for each in sequences(self._conn, group)]

        def attempt(conn: Connection[Any]) -> None:
            drain(self._ctx, self._conn, cutover.targets)
            begun = ctx.clock.monotonic()
            try:
                hand_over(conn, begun)
            finally:
                self._longest = max(self._longest, ctx.clock.monotonic() - begun)

        def hand_over(conn: Connection[Any], begun: float) -> None:
            with ctx.fenced(conn):
                known = record.find(conn, ctx.plan, ctx.step_id)
                if known is not None and known.state == "over":
                    return  # the answer to the COMMIT was lost
                hold_writers(ctx, conn, found.old, begun)
                fault("cutover.locked")
                await_last(ctx, self._conn, cutover.targets, begun)
                if not wayback.logs_whole(self._conn, cutover.back):
                    raise CheckFailed(
                        "The change log of the way back was switched off meanwhile",
                        where=self._place("back"),
                        hint="Raise log_cap in the plan's settings if the disk allows, and run `lockgate apply` again.",
                    )
                closing.close(conn, closing.of_old(cutover.id), found.old, cutover.back, hint)
                closed = self._switch(conn, found, cutover, begun)
                set_sequences(conn, numbered)
                targets.hand_over(conn, cutover.targets)
                targets.go_back(conn, cutover.back)
                record.over(conn, cutover.id, closed, ctx.clock.of(conn))
                held = self._held(begun)
                query = "the runner's clock, from before the first lock to the commit; of tries before, to their end"
                proof = Evidence(f"held:{ctx.step_id}", query, held)
                recording.evidence(conn, ctx.plan, ctx.phase.id, ctx.step_id, (proof,), run_id=ctx.run_id)
                fault("cutover.commit")
            ctx.progress.event(f"the new model is the one; writers waited for {held['milliseconds']} ms at most")

        strong_lock(ctx, self._place("old"), [table.sql for table in found.old]).do(attempt)

    def _held(self, begun: float) -> dict[str, int]:
        """Milliseconds for which writers waited, and in the longest try of this run that was given up, if one was.

        Where readers waited, too, ``exclusive``: since before the lock that they waited for was asked for.
        """
        now = self._ctx.clock.monotonic()
        since = {"milliseconds": begun}
        if self._alone_since is not None:
            since["exclusive"] = self._alone_since
        held = {name: round((now - moment) * 1000) for name, moment in since.items()}
        return held | ({"given_up": round(self._longest * 1000)} if self._longest else {})


class CutoverHandover(Handover):
    """Of a ``cutover`` step, which names the tables of the old model and says how the application learns of it."""

    def __init__(self, ctx: StepContext, conn: Connection[Any]) -> None:
        super().__init__(ctx, conn)
        self._step: CutoverStep = ctx.step

    def _scope(self) -> Scope:
        found = scope.find(self._conn, self._ctx.plan, self._ctx.phase, self._step, self._place)
        if self._step.switch is not None:
            with self._ctx.sessions.open("cutover", plan_sql=True) as conn:
                refusals.ask(conn, allowed(self._step.switch, partial(self._place, "switch")))
        return found

    def _way_back(self) -> list[Definition]:
        return [from_step(each, partial(self._place, "back", number)) for number, each in enumerate(self._step.back)]

    def _switch(self, conn: Connection[Any], found: Scope, cutover: Cutover, begun: float) -> Sequence[Relation]:
        if self._step.switch is not None:
            switch(self._ctx, conn, self._step.switch, "switch", begun)
        return found.old


def _refuse_changed(
    conn: Connection[Any], ctx: StepContext, cutover: Cutover, definitions: Sequence[Definition]
) -> None:
    """:raises PlanError: if a try before this one had another way back."""
    rows = conn.execute(
        "SELECT m.name, m.definition FROM lockgate.mappings m WHERE m.target_id = ANY (%s)", (cutover.back,)
    ).fetchall()
    if rows and dict(rows) != {each.name: each.dump() for each in definitions}:
        raise PlanError(
            f"The way back of {ctx.step_id} was changed after it began",
            where=place(ctx.loaded, ctx.phase, ctx.step, "back"),
            hint="`lockgate rollback` this phase first, or write the old text again",
        )
