"""The report as a JSON value: the same data as the Markdown."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from lockgate.report.model import Report


def as_json(report: Report) -> dict[str, Any]:
    """JSON values only; times are ISO 8601 in UTC, verdicts that follow from the numbers stand beside them."""
    data: dict[str, Any] = _plain(asdict(report))
    for mapping, given in zip(report.mappings, data["mappings"], strict=True):
        if mapping.accounting:
            given["accounting"]["adds_up"] = mapping.accounting.adds_up
        if mapping.reconciliation:
            given["reconciliation"]["agrees"] = mapping.reconciliation.agrees
    return data


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value
