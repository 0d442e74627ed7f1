"""A file by itself: what its name and its marks say of how it is run."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from lockgate.lint.texts import Text
from lockgate.textfile import Source

# goose, sql-migrate and dbmate: both ways in one file, each in a transaction unless it says otherwise.
_MARK = re.compile(r"^--\s*(?:\+(?:goose|migrate)\s+|migrate:)(?P<way>up|down)\b(?P<rest>.*)$", re.M | re.I)
_WITHOUT = re.compile(r"transaction\s*:\s*false|notransaction|no transaction", re.I)
_FILE_WITHOUT = re.compile(r"^--\s*\+goose\s+no\s+transaction\b|^--\s*no-transaction\b", re.M | re.I)
_DOWN = re.compile(r".*\.down\.sql|down\.sql|U[\d._]+__.*\.sql", re.I)


def texts(path: Path, source: Source, *, wrapped: bool) -> list[Text]:
    """The texts of a file: one, or both ways of one that is marked.

    :param wrapped: whether a file without marks is run in a transaction.
    """
    marks = list(_MARK.finditer(source.text)) if "--" in source.text else []
    if not marks:
        down = _DOWN.fullmatch(path.name) is not None
        return [Text(source.file, source.text, source.where, wrapped, "down" if down else "up")]
    alone = _FILE_WITHOUT.search(source.text) is not None
    found: list[Text] = []
    ends = [*(mark.start() for mark in marks[1:]), len(source.text)]
    for mark, end in zip(marks, ends, strict=True):
        inside = not alone and not _WITHOUT.search(mark["rest"])
        part = Text(source.file, source.text[mark.end() : end], partial(_at, source, mark.end()), inside)
        if mark["way"].lower() == "down":
            part = part.taking_back(found[-1]) if found else part
        found.append(part)
    return found


def _at(source: Source, start: int, offset: int) -> str:
    return source.where(start + offset)
