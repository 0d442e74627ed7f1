"""What a check kind is: something that must hold after a phase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from psycopg import Connection

from lockgate.engine.clock import Clock
from lockgate.engine.evidence import Evidence

if TYPE_CHECKING:
    from lockgate.engine.context import Progress
    from lockgate.engine.session import Sessions
    from lockgate.plan.load import LoadedPlan


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What a check may look at.

    :param conn: for reading; keeps the database's own search_path.
    :param where: ``file:line:column`` of the check.
    """

    conn: Connection[Any]
    sessions: Sessions
    loaded: LoadedPlan
    check: Any
    where: str
    clock: Clock
    progress: Progress
    stop: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found; every number of it is in the evidence, with its query.

    :param value: the measurement on which the verdict rests, if it is a number: the query's value or its rows, the
        median time, how many objects or rows are not as they must be.
    """

    passed: bool
    what: str
    evidence: tuple[Evidence, ...]
    hint: str | None = None
    value: float | None = None


class CheckRunner(Protocol):
    """One check kind. Stateless; registered in ``lockgate.checks.REGISTRY``."""

    def evaluate(self, ctx: CheckContext) -> CheckResult:
        """Look; changes nothing."""

    def describe(self, check: Any) -> str:
        """One line: what must hold."""
