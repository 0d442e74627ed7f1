"""What a gate kind is: something that must hold before a phase may start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from psycopg import Connection

from lockgate.engine.clock import Clock
from lockgate.engine.evidence import Evidence
from lockgate.errors import ExitCode
from lockgate.plan.models import Phase

if TYPE_CHECKING:
    from lockgate.catalog.document import Document
    from lockgate.plan.load import LoadedPlan


class Refusal(Enum):
    """Why a gate does not open; the value is the exit code. In this order the first one decides."""

    CHANGED = ExitCode.CHANGED
    REFUSED = ExitCode.GATE_REFUSED
    APPROVAL = ExitCode.AWAITING_APPROVAL
    TIME = ExitCode.AWAITING_TIME


@dataclass(frozen=True, slots=True)
class GateContext:
    """What a gate may look at.

    :param conn: for reading; the gate's queries run on it.
    :param gate: the gate's model.
    :param where: ``file:line:column`` of the gate.
    :param ledger: whether there is a ledger; before the first run there is none.
    :param schema: describes the schema as an approval is for it; costs catalog queries.
    """

    conn: Connection[Any]
    loaded: LoadedPlan
    phase: Phase
    gate: Any
    where: str
    clock: Clock
    ledger: bool
    schema: Callable[[], Document]


@dataclass(frozen=True, slots=True)
class GateResult:
    """What a gate found.

    :param what: one line: what holds, or what does not.
    :param refusal: None when the gate is open.
    :param hint: what to do about a closed gate.
    :param ready_at: when a gate that waits for time opens.
    """

    passed: bool
    what: str
    refusal: Refusal | None = None
    hint: str | None = None
    ready_at: datetime | None = None
    evidence: tuple[Evidence, ...] = ()


class GateRunner(Protocol):
    """One gate kind. Stateless; registered in ``lockgate.gates.REGISTRY``."""

    def evaluate(self, ctx: GateContext) -> GateResult:
        """Look; changes nothing."""

    def describe(self, gate: Any) -> str:
        """One line: what must hold."""
