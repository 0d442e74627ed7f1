"""Gates that demand a proof of something made outside the plan."""

from __future__ import annotations

from pydantic import Field

from lockgate.plan.base import Strict
from lockgate.plan.values import PositiveDuration, RelationName, RelationPattern


class Backup(Strict):
    """What the backup must be."""

    within: PositiveDuration = Field(description="How old its snapshot may be.")
    restored: bool = Field(True, description="Whether it must have been restored, and every table compared.")
    tables: tuple[RelationPattern, ...] = Field(
        (),
        description="Tables that it must hold, as schema.table; * stands for any signs: every table that fits now. "
        "None: it must be of the whole database.",
    )


class BackupGate(Strict):
    """There must be a backup by `lockgate backup` to go back to, whose files are as they were written."""

    backup: Backup = Field(description="What it must hold, how old it may be, and whether it was restored.")


class RetainedGate(Strict):
    """Tables must have been in the archive for as long as their step said.

    In no plan: a phase that drops tables has it by itself, so that it cannot be left out.
    """

    retained: tuple[RelationName, ...] = Field(description="The tables that the phase drops.")
