"""The report as Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lockgate.report import tell
from lockgate.report.measurements import nodes
from lockgate.report.model import Report

_SPECIAL = re.compile(r"[\\`*\[\]<>|#~]|(?<!\w)_|_(?!\w)")


def render(report: Report) -> str:
    """The whole document; it ends with a line break."""
    environment = Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=False,  # Markdown: `text` escapes what the ledger holds
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = {"text": text, "ref": ref, "refs": refs, "moment": moment, "number": tell.number, "flat": tell.flat}
    environment.filters.update({**filters, "fence": fence, "pretty": pretty})
    document = environment.get_template("report.md.j2").render(report=report)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r" +\n", "\n", document)).rstrip("\n") + "\n"


def text(value: object) -> str:
    """Words from the ledger or the plan on one line, so that no character of theirs is Markdown.

    What stands between a pair of backticks stays code.
    """
    line = " ".join(str(value).split())
    parts = line.split("`")
    if len(parts) % 2 == 0:
        return _escaped(line)
    return "`".join(part.replace("|", "\\|") if i % 2 else _escaped(part) for i, part in enumerate(parts))


def _escaped(value: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", value)


def ref(seq: int | None) -> str:
    """The reference to an entry of the chain, which stands at the end of the document."""
    return f"[#{seq}](#e{seq})" if seq else ""


def refs(seqs: Iterable[int]) -> str:
    """Several of them."""
    return " ".join(ref(seq) for seq in seqs)


def moment(value: datetime | None) -> str:
    """A time in UTC, to the second."""
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if value else "-"


def pretty(value: Mapping[str, Any]) -> str:
    """A result as JSON; query plans as their nodes, a line each (the JSON report has all of them)."""
    plain = {name: _outlined(name, item) for name, item in value.items()}
    indented = json.dumps(plain, indent=2, ensure_ascii=False, default=str)
    # A list of numbers on one line.
    return re.sub(r"\[\s+([-\d.,\se+]+?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", indented)


def _outlined(name: str, value: Any) -> Any:
    if name == "plans" and isinstance(value, Mapping):
        return {side: list(nodes(tree)) for side, tree in value.items()}
    return list(nodes(value)) if name == "plan" and isinstance(value, Mapping) else value


def fence(value: str, language: str) -> str:
    """A block of code that its own content cannot end."""
    ticks = "```"
    while ticks in value:
        ticks += "`"
    return f"{ticks}{language}\n{value.strip()}\n{ticks}"
