"""Other people's queries, fit to be shown: no values, one line, not endless."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
    (?P<string>(?:\b[eE])?'(?:[^'\\]|''|\\.)*(?:'|$))
  | (?P<dollar>\$(?P<tag>[A-Za-z_]\w*|)\$.*?(?:\$(?P=tag)\$|$))
  | (?P<name>"(?:[^"]|"")*"|[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*)
  | (?P<parameter>\$\d+)
  | (?P<number>\d[\w.]*)
  | (?P<comment>--[^\n]*|/\*.*?(?:\*/|$))
    """,
    re.VERBOSE | re.DOTALL,
)


def mask(query: str, longest: int = 160) -> str:
    """``query`` on one line with every literal as ``?``, comments left out, cut at ``longest`` characters.

    Works on text that is cut off, as ``pg_stat_activity`` may give it.
    """

    def shown(found: re.Match[str]) -> str:
        if found["name"] or found["parameter"]:
            return found[0]
        return " " if found["comment"] else "?"

    line = " ".join(_TOKEN.sub(shown, query).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
