"""The kinds of gates: a kind is one module and one entry of ``REGISTRY``."""

from __future__ import annotations

from lockgate.gates import approval, backup, checked, command, query, rehearsed, retained, soak, unused, unwritten
from lockgate.gates.base import GateRunner
from lockgate.plan.models import (
    ApprovalGate,
    BackupGate,
    CheckedGate,
    CommandGate,
    QueryGate,
    RehearsedGate,
    RetainedGate,
    SoakGate,
    UnusedGate,
    UnwrittenGate,
)

REGISTRY: dict[type, GateRunner] = {
    ApprovalGate: approval.Runner(),
    BackupGate: backup.Runner(),
    CheckedGate: checked.Runner(),
    CommandGate: command.Runner(),
    QueryGate: query.Runner(),
    RehearsedGate: rehearsed.Runner(),
    RetainedGate: retained.Runner(),
    SoakGate: soak.Runner(),
    UnusedGate: unused.Runner(),
    UnwrittenGate: unwritten.Runner(),
}
