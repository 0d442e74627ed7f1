"""Every error that Lockgate raises on purpose.

An error says what is wrong, where, why, and what to do. The command line prints these four parts and
exits with ``exit_code``; nothing here is ever shown as a traceback.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the command line (the documentation lists them in ``docs/exit-codes.md``)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    GATE_REFUSED = 3
    AWAITING_APPROVAL = 4
    AWAITING_TIME = 5
    CHANGED = 6
    UNDONE = 7
    LEASE_HELD = 8
    UNKNOWN = 9
    PENDING = 10
    INTERRUPTED = 130


class LockgateError(Exception):
    """Something went wrong that its message explains.

    :param what: one sentence, what is wrong.
    :param where: ``file:line:column``, a table, a phase or a step.
    :param why: the cause, as far as it is known.
    :param hint: what to do about it.
    """

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, what: str, *, where: str | None = None, why: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        parts = [head]
        if self.why:
            parts.append(f"Why: {self.why}")
        if self.hint:
            parts.append(f"Do: {self.hint}")
        return "\n".join(parts)


class UsageError(LockgateError):
    """The command, or what it was given, cannot be used."""

    exit_code = ExitCode.USAGE


class PlanError(UsageError):
    """The plan does not say something that can be run."""


class MappingRefused(PlanError):
    """The SELECT of a mapping cannot be kept exact."""


class DatabaseError(LockgateError):
    """The database cannot be used, or refused something."""


class ConnectionFailed(DatabaseError, UsageError):
    """No usable connection: unreachable, wrong password, a replica, a pooler, an unsupported version."""

    exit_code = ExitCode.USAGE


class PrivilegeMissing(DatabaseError):
    """The role may not do what the plan needs; the hint is the GRANT that helps."""


class LockNotAcquired(DatabaseError):
    """A lock was not had within its timeout, after all retries; ``why`` names the blocker."""


class GateRefused(LockgateError):
    """A gate does not hold."""

    exit_code = ExitCode.GATE_REFUSED


class AwaitingApproval(LockgateError):
    """A phase waits for an approval."""

    exit_code = ExitCode.AWAITING_APPROVAL


class AwaitingTime(LockgateError):
    """A phase waits for time to pass."""

    exit_code = ExitCode.AWAITING_TIME


class PlanChanged(LockgateError):
    """The plan, or the schema it was approved for, is not what it was."""

    exit_code = ExitCode.CHANGED


class ConnectionLost(DatabaseError):
    """The database went away in the middle of a run."""


class LeaseHeld(LockgateError):
    """Another runner holds the lease."""

    exit_code = ExitCode.LEASE_HELD


class LeaseLost(LockgateError):
    """This runner lost its lease to another one and must stop at once."""

    exit_code = ExitCode.LEASE_HELD


class CheckFailed(LockgateError):
    """A check found that what must hold does not."""


class NotLooked(LockgateError):
    """Standing checks could not be made at all, which says nothing about whether they hold."""

    exit_code = ExitCode.UNKNOWN


class LedgerError(LockgateError):
    """The ledger is too old, too new, damaged or not there."""


class RollbackRefused(LockgateError):
    """Going back would lose rows, and nobody said that it may."""


class Interrupted(LockgateError):
    """The run was told to stop, and stopped at a place from which it goes on."""

    exit_code = ExitCode.INTERRUPTED
