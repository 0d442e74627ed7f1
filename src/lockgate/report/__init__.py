"""The report: written from the ledger, and from nothing else."""

from lockgate.report.collect import collect
from lockgate.report.document import as_json
from lockgate.report.model import Report

__all__ = ["Report", "as_json", "collect"]
