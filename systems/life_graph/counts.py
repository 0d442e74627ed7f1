"""How many rows of each kind there are at a scale."""

from __future__ import annotations

from dataclasses import asdict, dataclass

MINIMUM_SCALE = 0.005
"""Below it there are too few parties for their roles."""

FEWEST_COMMITMENTS = 5_000
"""At every scale: on a smaller table the planner needs no index, and the plan asks for one."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows after a year of use; 1.0 is one household with its businesses."""

    users: int
    documents: int
    parties: int
    roles: int
    commitments: int
    signals: int
    document_links: int
    interactions: int

    def as_parameters(self) -> dict[str, int]:
        """By name, for the generator's SQL."""
        return asdict(self)


_AT_ONE = Counts(
    users=20,
    documents=5_000,
    parties=1_000,
    roles=2_000,
    commitments=10_000,
    signals=5_000,
    document_links=15_000,
    interactions=50_000,
)


def counts(scale: float) -> Counts:
    """The rows at a scale, of all but the users.

    :raises ValueError: if it is too small.
    """
    if scale < MINIMUM_SCALE:
        raise ValueError(f"scale {scale:g} is too small, it must be at least {MINIMUM_SCALE:g}")
    found = {name: round(rows * scale) for name, rows in asdict(_AT_ONE).items()}
    found |= {"users": _AT_ONE.users, "document_links": 3 * found["documents"]}
    return Counts(**{**found, "commitments": max(found["commitments"], FEWEST_COMMITMENTS)})
