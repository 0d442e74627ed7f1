"""What a folder of migrations looks like, for telling whose it is: names, marks in the files, and what lies around."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_READ = 5
_ABOVE = 4


def names(folder: Path, pattern: str) -> list[str]:
    """The names of files that match a pattern as a whole."""
    wanted = re.compile(pattern)
    return sorted(name for name in regular(folder) if wanted.fullmatch(name))


def regular(folder: Path) -> list[str]:
    """The names of the regular files directly in a folder; links are followed. Only they are looked at one by one."""
    with os.scandir(folder) as entries:
        return [
            entry.name
            for entry in entries
            if (Path(entry).is_file() if entry.is_symlink() else entry.is_file(follow_symlinks=False))
        ]


def marked(folder: Path, pattern: str) -> bool:
    """Whether one of the first .sql files has a line that begins with a pattern, such as ``-- migrate:up``."""
    mark = re.compile(f"^(?:{pattern})", re.M)
    return any(mark.search(text) for text in _texts(folder))


def below(folder: Path, *wanted: str) -> bool:
    """Whether one of these files lies in the folder, or in one of those that hold it."""
    real = folder.resolve()
    return any((above / name).is_file() for above in (real, *real.parents[:_ABOVE]) for name in wanted)


def _texts(folder: Path) -> Iterator[str]:
    for name in names(folder, r".*\.sql")[:_READ]:
        yield (folder / name).read_text("utf-8-sig", errors="replace")
