"""Text files that people write: read as UTF-8, with the line and column of whatever is wrong in them."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong. Line and column count from 1, the column in characters."""

    file: str
    line: int
    column: int
    what: str

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class Source:
    """A file's text, and the line and column of each of its characters."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        # A form feed or a Unicode line separator ends no line in an editor, so ``splitlines`` would count wrong.
        lengths = (len(line) + 1 for line in text.split("\n"))
        self._starts = [0, *accumulate(lengths)]

    def position(self, index: int) -> tuple[int, int]:
        """Line and column, from 1, of the character at ``index`` (or of the end of the text)."""
        index = min(max(index, 0), len(self.text))
        line = bisect_right(self._starts, index)
        return line, index - self._starts[line - 1] + 1

    def problem(self, index: int, what: str) -> Problem:
        return Problem(self.file, *self.position(index), what)

    def where(self, index: int) -> str:
        line, column = self.position(index)
        return f"{self.file}:{line}:{column}"


def decode(file: str, content: bytes) -> tuple[str, list[Problem]]:
    """The text of a file as UTF-8, without byte order mark and with ``\\n`` at the end of each line.

    Line ends are made equal so that a checkout with other line ends is the same plan.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", errors="replace")
        source = Source(file, _same_ends(before))
        what = f"is not UTF-8 (byte 0x{content[error.start]:02x}); save the file as UTF-8"
        return "", [source.problem(len(source.text), what)]
    text = _same_ends(text)
    zero = text.find("\0")
    if zero >= 0:
        return "", [Source(file, text).problem(zero, "holds a NUL character, which PostgreSQL does not take")]
    return text, []


def _same_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
