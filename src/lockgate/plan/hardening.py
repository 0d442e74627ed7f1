"""The steps that make a table sounder and faster as it stands."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from lockgate.plan.step import AnyStep, distinct
from lockgate.plan.values import Identifier, RelationName, SqlText


class IndexStep(AnyStep):
    """Build indexes while rows are written; of a partitioned table on one partition after the other."""

    index: SqlText = Field(
        description="CREATE INDEX statements, each with the name of the index. CONCURRENTLY need not be said: the "
        "indexes are built so."
    )
    replaces: Annotated[tuple[RelationName, ...], AfterValidator(distinct)] = Field(
        (),
        description="Indexes that these make superfluous: they are dropped, concurrently, when all of these are there.",
    )
    id: Identifier | None = Field(
        None, description="Name in the ledger; left out: `index-N`, N its place in the phase."
    )
