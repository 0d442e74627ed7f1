"""Where code names tables."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lockgate.sql.words import holds

_LARGEST = 4 * 1024**2
_LEFT_OUT = {".git"}


@dataclass(frozen=True, slots=True)
class Mention:
    """A line that names a table."""

    file: str
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def unreadable(folder: Path) -> str | None:
    """Why a folder cannot be looked at, in words; None if it can."""
    try:
        with os.scandir(folder):
            return None
    except OSError as error:
        return error.strerror or type(error).__name__


def mentions(folder: Path, shown: str, names: Sequence[str], own: Path) -> tuple[list[Mention], list[str]]:
    """Each line in a folder's text files that holds one of the names as a word, and what was not looked at.

    A file with a zero byte in it is no text.

    :param shown: how the folder is called in what is said.
    :param own: the plan's folder, which names the tables itself.
    """
    found: list[Mention] = []
    blind: list[str] = []
    for name, text in texts(folder, shown, own, blind):
        found += _lines(name, text, names)
    return found, blind


def texts(
    folder: Path, shown: str, own: Path | None, blind: list[str], without: Collection[str] = ()
) -> Iterator[tuple[str, str]]:
    """Each text file in a folder, in order: what it is called, and what stands in it.

    :param own: a folder that is left out.
    :param blind: what could not be looked at is put here.
    :param without: names of folders that are left out wherever they are.
    """
    for path in _files(folder, shown, own, blind, without):
        name = os.path.join(shown, path.relative_to(folder))
        try:
            data = path.read_bytes() if path.is_file() and path.stat().st_size <= _LARGEST else None
        except OSError as error:
            blind.append(f"{name}: {error.strerror}")
            continue
        if data is None:
            blind.append(f"{name}: no ordinary file, or a large one")
        elif b"\0" not in data:
            yield name, data.decode(errors="replace")


def _files(folder: Path, shown: str, own: Path | None, blind: list[str], without: Collection[str]) -> Iterator[Path]:
    """Every file, in order; folders that cannot be listed or are links go to ``blind``."""

    def name(path: str) -> str:
        return os.path.normpath(os.path.join(shown, os.path.relpath(path, folder)))

    def unlisted(error: OSError) -> None:
        blind.append(f"{name(str(error.filename))}: {error.strerror}")

    for here, folders, files in os.walk(folder, onerror=unlisted):
        for linked in [each for each in folders if os.path.islink(os.path.join(here, each))]:
            blind.append(f"{name(os.path.join(here, linked))}: a link to a folder")
        inside = (each for each in folders if each not in _LEFT_OUT and each not in without)
        folders[:] = sorted(each for each in inside if own is None or Path(here, each).resolve() != own.resolve())
        yield from (Path(here, file) for file in sorted(files))


def _lines(file: str, text: str, names: Sequence[str]) -> Iterator[Mention]:
    present = [name for name in names if holds(text, name)]
    if present:
        for number, line in enumerate(text.splitlines(), 1):
            yield from (Mention(file, number, name) for name in present if holds(line, name))
