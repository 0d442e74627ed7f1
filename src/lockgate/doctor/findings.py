"""What an examination finds: fine, worth knowing, or to be mended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    :param area: what part of it all: server, role, ledger, sync, ...
    :param hint: what to do about it; None where nothing has to be done.
    """

    area: str
    verdict: Verdict
    what: str
    hint: str | None = None


def ok(area: str, what: str) -> Finding:
    """Looked at, and as it should be."""
    return Finding(area, Verdict.OK, what)


def warn(area: str, what: str, hint: str) -> Finding:
    """Not wrong yet."""
    return Finding(area, Verdict.WARN, what, hint)


def fail(area: str, what: str, hint: str) -> Finding:
    """Wrong now."""
    return Finding(area, Verdict.FAIL, what, hint)
