"""The systems that `lockgate demo` can show, by the names that the command line takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    import threading

    from lockgate.demo.options import DemoOptions
    from lockgate.engine.clock import Clock
    from lockgate.engine.context import Progress


class Result(Protocol):
    """What every demo finds out.

    :ivar lost_writes: writes that were acknowledged, and are not there as they must be.
    :ivar unexplained_rows: rows of a source of which nothing tells what became of them, over all mappings.
    :ivar checks_failed: what failed, a sentence each.
    """

    @property
    def phases_done(self) -> int: ...
    @property
    def phases_planned(self) -> int: ...
    @property
    def checks_failed(self) -> tuple[str, ...]: ...
    @property
    def unexplained_rows(self) -> int: ...
    @property
    def lost_writes(self) -> int: ...
    @property
    def holds(self) -> bool:
        """Whether everything is as it must be."""

    def as_json(self) -> dict[str, Any]:
        """One object of plain values, with all of these."""


class Run(Protocol):
    """Shows a system; everything that was started is ended and removed before it returns, unless it is to be kept."""

    def __call__(
        self,
        options: DemoOptions,
        progress: Progress | None = None,
        *,
        clock: Clock | None = None,
        stop: threading.Event | None = None,
    ) -> Result: ...


@dataclass(frozen=True, slots=True)
class System:
    """A system that can be shown.

    :param module: of this package; its ``run`` is a :class:`Run`.
    :param scale: the one that is taken where none is said.
    :param size: what a scale of 1.0 is.
    :param retires: whether it can be shown to the end of its old model.
    :param messages: whether it has messages, of which there can be any number.
    """

    module: str
    scale: float
    size: str
    retires: bool = False
    messages: bool = False

    def run(self) -> Run:
        """:raises ModuleNotFoundError: if packages that it needs are not installed."""
        return cast(Run, import_module(f"lockgate.demo.{self.module}").run)


PARTY_MODEL = "party-model"
SYSTEMS: Mapping[str, System] = {
    PARTY_MODEL: System("party_model", 0.02, "1.5 million people and companies", retires=True),
    "life-graph": System("life_graph", 0.1, "a year of one household: 10,000 commitments, 50,000 interactions"),
    "context-memory": System("context_memory", 0.01, "1 million leads with 5 million messages"),
    "hardening": System("hardening", 0.02, "1.5 million people and companies, on the day before party-model's"),
    "salon": System("salon", 1.0, "1,299 clients, 38 bookings and 100,000 messages", messages=True),
}
