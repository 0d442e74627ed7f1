"""A scenario: what there is at the beginning, and what happens then."""

from __future__ import annotations

from dataclasses import dataclass

from tests.integration.stress.acts import Act
from tests.integration.stress.mappings import Mapping, Target
from tests.integration.stress.values import Table


@dataclass(frozen=True, slots=True)
class Scenario:
    """One example of the property test.

    :param rows: for each table, the seeds of the rows that it holds at the beginning.
    :param early: how many mappings begin at once; the others begin by an act, or at the end.
    :param batch: how many changes an applier takes at once; more become a backlog.
    """

    tables: tuple[Table, ...]
    targets: tuple[Target, ...]
    rows: tuple[tuple[tuple[int, ...], ...], ...]
    early: int
    batch: int
    acts: tuple[Act, ...]

    def mappings(self) -> list[tuple[Target, Mapping]]:
        """All mappings, in the order in which they begin."""
        return [(target, mapping) for target in self.targets for mapping in target.mappings]
