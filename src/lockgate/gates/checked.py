"""Gate ``checked``: the SQL of the phase has no hazard in this database that nobody has answered."""

from __future__ import annotations

from lockgate.engine.evidence import Evidence
from lockgate.errors import LockgateError
from lockgate.gates import hazards
from lockgate.gates.base import GateContext, GateResult, Refusal
from lockgate.plan.models import CheckedGate
from lockgate.safety.finding import Severity

_SHOWN = 3
_QUERY = "lockgate check: the text, the catalog and the rows of what the phase would run"


class Runner:
    """Reads the catalog, and rows where only they tell whether a statement fails."""

    def evaluate(self, ctx: GateContext) -> GateResult:
        """Closed while there is a finding that is bad enough; worse ones are named first."""
        asked = ctx.gate.checked
        try:
            outcome = hazards.of_phase(ctx.loaded, ctx.phase, ctx.conn, asked.time_limit)
        except LockgateError as error:
            return _closed(f"its hazards are not known: {error.what}", error.hint or "See `lockgate check`.")
        order = list(Severity)
        found = sorted(outcome.findings, key=lambda finding: order.index(finding.severity))
        bad = [finding for finding in found if order.index(finding.severity) <= order.index(Severity(asked.fail_on))]
        result = {
            "statements": outcome.statements,
            "findings": [hazards.as_row(finding) for finding in found],
            "ignored": outcome.ignored,
            "skipped": outcome.skipped,
            "passed": not bad,
        }
        evidence = (Evidence(f"checked:{ctx.phase.id}", _QUERY, result),)
        if bad:
            named = "; ".join(f"{finding.where}: {finding.code} {finding.what}" for finding in bad[:_SHOWN])
            more = f"; and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
            hint = "`lockgate check` says why and what to do. Mend it, or write `-- lockgate: ignore CODE because ...`."
            return _closed(f"{_count(len(bad), 'hazard')}: {named}{more}", hint, evidence)
        less = f", and {_count(len(found), 'lesser finding')}" if found else ""
        skipped = f"; not looked at: {'; '.join(outcome.skipped)}" if outcome.skipped else ""
        said = f"no hazard in {_count(outcome.statements, 'statement')}{less}{skipped}"
        return GateResult(True, said, evidence=evidence)

    def describe(self, gate: CheckedGate) -> str:
        """Up to which severity there may be findings."""
        asked = gate.checked.fail_on
        worse = "" if asked == "high" else " or higher"
        return f"no finding of {asked}{worse} severity in what the phase runs"


def _closed(what: str, hint: str, evidence: tuple[Evidence, ...] = ()) -> GateResult:
    return GateResult(False, what, Refusal.REFUSED, hint=hint, evidence=evidence)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
