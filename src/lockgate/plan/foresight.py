"""Gates that demand that a phase was looked at before it runs: its hazards, and a rehearsal."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from lockgate.plan.base import Strict
from lockgate.plan.values import PositiveDuration


class Checked(Strict):
    """What is looked for, and for how long."""

    fail_on: Literal["high", "medium", "low"] = Field(
        "high", description="The gate stays closed while there is a finding of this severity, or a worse one."
    )
    time_limit: PositiveDuration = Field(
        timedelta(seconds=30),
        description="How long one query of rows may take; what takes longer is sampled, or said to be not looked at.",
    )


class CheckedGate(Strict):
    """`lockgate check` must find no hazard in the SQL of the phase, but for those that a comment there answers."""

    checked: Checked = Field(description="Which findings keep it closed; `{}` for those of high severity.")


class Rehearsed(Strict):
    """What the rehearsal must be."""

    within: PositiveDuration = Field(description="How long ago the rehearsal may have ended.")


class RehearsedGate(Strict):
    """`lockgate rehearse --record` must have run this plan to its end, from the schema as it is."""

    rehearsed: Rehearsed = Field(description="How old the rehearsal may be.")
