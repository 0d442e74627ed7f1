"""The report as Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lockgate.report import tell
from lockgate.report.model import Report

_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|#"})


def render(report: Report) -> str:
    """The whole document; it ends with a line break."""
    environment = Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=False,  # Markdown: `text` and `cell` escape what the ledger holds
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = {"text": text, "cell": cell, "ref": ref, "moment": moment, "number": tell.number, "flat": tell.flat}
    environment.filters.update({**filters, "fence": fence, "pretty": pretty})
    return environment.get_template("report.md.j2").render(report=report)


def text(value: object) -> str:
    """Words from the ledger or the plan, so that no character of theirs is Markdown."""
    parts = str(value).split("`")
    # What stands between backticks in our own sentences is code; leave pairs of them alone.
    if len(parts) % 2 == 1:
        return "`".join(part if i % 2 else part.translate(_SPECIAL) for i, part in enumerate(parts)).replace("\n", " ")
    return str(value).translate(_SPECIAL).replace("\n", " ")


def cell(value: object) -> str:
    """The same in a cell of a table."""
    return text(value).replace("\n", " ")


def ref(seq: int | None) -> str:
    """The reference to an entry of the chain; the appendix has an anchor for those that are evidence."""
    return f"[#{seq}](#e{seq})" if seq else ""


def moment(value: datetime | None) -> str:
    """A time in UTC, to the second."""
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if value else "-"


def pretty(value: Mapping[str, Any]) -> str:
    """A result as JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def fence(value: str, language: str) -> str:
    """A block of code that its own content cannot end."""
    ticks = "```"
    while ticks in value:
        ticks += "`"
    return f"{ticks}{language}\n{value.strip()}\n{ticks}"
