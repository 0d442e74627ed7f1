"""``lockgate doctor``: what is wrong with server, role, ledger or sync, or will be."""

from lockgate.doctor.examination import examine
from lockgate.doctor.findings import Finding, Verdict

__all__ = ["Finding", "Verdict", "examine"]
