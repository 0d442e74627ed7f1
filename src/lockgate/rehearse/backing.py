"""Backups of the copy: a table is dropped only where real backups hold its very rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.backup import record
from lockgate.backup.make import make
from lockgate.backup.prove import prove
from lockgate.plan.models import Backup, DropStep, Phase

if TYPE_CHECKING:
    from lockgate.rehearse.copy import Copy


def wanted(phase: Phase) -> bool:
    """Whether the steps of a phase look at the backups themselves."""
    return any(isinstance(step, DropStep) for step in phase.steps)


def back_up(copy: Copy, plan: str, asked: Backup) -> None:
    """Make the backup of the copy that a gate asks for, and restore it where the copy was made.

    :raises LockgateError: if it could not be made, or does not restore to what was backed up.
    """
    made = make(copy.sessions, copy.folder, plan, patterns=asked.tables, folders=copy.wanted.folders)
    number = record.keep(copy.sessions, plan, made)
    proof = prove(made.folder, on=copy.wanted.on, folders=copy.wanted.folders)
    record.proven(copy.sessions, plan, number, made, proof)
