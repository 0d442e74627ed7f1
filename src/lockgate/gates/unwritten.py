"""Gate ``unwritten``: nobody has written to tables for some time."""

from __future__ import annotations

from lockgate.gates import watching
from lockgate.gates.base import GateContext, GateResult, Refusal
from lockgate.plan.models import UnwrittenGate, format_duration
from lockgate.usage.window import WRITES


class Runner:
    """Compares the counters of writes with those of the samples."""

    def evaluate(self, ctx: GateContext) -> GateResult:
        """Refused when somebody wrote; waits while the samples do not reach back far enough."""
        asked = ctx.gate.unwritten
        watched = watching.watch(ctx, asked.tables, asked.for_, WRITES)
        refused = watching.unknown(watched, str(ctx.loaded.folder))
        if refused:
            return refused
        blind = watching.uncounted(watched, "writes")
        hits = watched.hits
        passed = watching.has_passed(watched)
        evidence = watching.evidence(watched, "unwritten", passed, blind)
        count = len(watched.windows)
        if hits:
            words = [watching.hit_words(name, hit) for name, hit in hits]
            return GateResult(
                False,
                f"still written: {watching.listed(words)}{watching.own_words(watched)}",
                Refusal.REFUSED,
                hint=f"Find who writes; without another write it opens at {watching.at(watched.ready_at)}.",
                evidence=evidence,
            )
        if not passed:
            return watching.waiting(watched, "that nobody writes", evidence)
        return GateResult(
            True,
            f"{count} table{'' if count == 1 else 's'} not written for {format_duration(asked.for_)}"
            f"{watching.own_words(watched)}; "
            f"not looked at: {watching.listed(blind)}",
            evidence=evidence,
        )

    def describe(self, gate: UnwrittenGate) -> str:
        """The tables and the time."""
        return f"nobody writes {', '.join(gate.unwritten.tables)} for {format_duration(gate.unwritten.for_)}"
