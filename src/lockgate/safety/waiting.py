"""For how long the statements of a text wait for a lock, by the SETs that stand before them."""

from __future__ import annotations

import re

from lockgate.safety.subject import Statement
from lockgate.sql.tree import Node, enum

LONGEST = 10_000
"""Milliseconds of lock_timeout from which on it is as good as none."""
_LONGEST_IN_ALL = 2_000
"""Milliseconds of a timeout that counts the work too, up to which it is as good as a lock_timeout."""
_TIMEOUTS = {"lock_timeout": LONGEST, "statement_timeout": _LONGEST_IN_ALL, "transaction_timeout": _LONGEST_IN_ALL}
_UNITS = {"us": 0.001, "ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_VALUE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(us|ms|s|min|h|d)?\s*")


class Waiting:
    """The timeouts that are set. Statements are told in the order of the text."""

    def __init__(self) -> None:
        self._session: dict[str, str] = {}
        self._local: dict[tuple[str, int], str] = {}
        self._last = ""

    def told(self, statement: Statement) -> None:
        """Take in a SET or RESET: SET LOCAL holds in its transaction, and nowhere if there is none."""
        node, word = statement.node, enum(statement.node, "kind")
        if word == "VAR_RESET_ALL":
            self._session.clear()
            self._last = "RESET ALL took the timeouts back."
        if node.name not in _TIMEOUTS:
            return
        if node.is_local:
            self._set_local(statement)
        elif word == "VAR_SET_VALUE":
            self._session[node.name] = _written(node.args[0].a_const)
        elif self._session.pop(node.name, None) is not None:
            self._last = f"{node.name} was taken back before."

    def _set_local(self, statement: Statement) -> None:
        name = statement.node.name
        if statement.block is None:
            self._last = f"SET LOCAL {name} has no effect outside a transaction."
        elif enum(statement.node, "kind") == "VAR_SET_VALUE":
            self._local[name, statement.block] = _written(statement.node.args[0].a_const)
            self._last = f"SET LOCAL {name} held only until its transaction ended."

    def too_long(self, statement: Statement) -> str:
        """Why a statement may wait for its lock for too long; empty if it may not."""
        holding = dict(self._session)
        holding.update({name: text for (name, block), text in self._local.items() if block == statement.block})
        holding = {name: text for name, text in holding.items() if milliseconds(text) != 0}
        if any((milliseconds(text) or 0) <= _TIMEOUTS[name] for name, text in holding.items()):
            return ""
        if not holding:
            return self._last or "No lock_timeout is set in this text."
        return (
            "It may wait for as long as "
            + " and ".join(f"{name} = {text}" for name, text in holding.items())
            + " let it."
        )


def milliseconds(text: str) -> float | None:
    """What a timeout is set to, as the server reads it; None for what is no number with a unit of time."""
    match = _VALUE.fullmatch(text)
    return float(match[1]) * _UNITS[match[2] or "ms"] if match else None


def _written(value: Node) -> str:
    if value.HasField("ival"):
        return str(value.ival.ival)
    return str(value.fval.fval if value.HasField("fval") else value.sval.sval)
