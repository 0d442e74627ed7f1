"""Reading a folder of migrations: everything that is wrong with it is found before one error names it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from lockgate.errors import LockgateError, UsageError
from lockgate.history import looks
from lockgate.textfile import Problem, Source

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")


class FolderError(UsageError):
    """A folder of migrations has problems; ``problems`` holds every one."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        hint = "Nothing was done. Correct the files, then run the command again."
        if len(self.problems) == 1:
            super().__init__(self.problems[0].what, where=self.problems[0].where, hint=hint)
        else:
            lines = "".join(f"\n{problem}" for problem in self.problems)
            super().__init__(f"The folder of migrations has {len(self.problems)} problems:{lines}", hint=hint)


class HistoryError(LockgateError):
    """A history cannot be read, or is not what its tool would have written."""


class MigrationFailed(HistoryError):
    """A migration that is a program raised.

    :param cause: the server's error, if it was one.
    """

    def __init__(self, where: str, why: str, cause: psycopg.Error | None) -> None:
        super().__init__(
            "A migration failed",
            where=where,
            why=why,
            hint="Correct the migration or the data, then run the command again.",
        )
        self.cause = cause


def other_ends(content: bytes) -> set[bytes]:
    """A file as it is with the line ends of other systems, LF or CRLF throughout, without what it is now."""
    plain = content.replace(b"\r\n", b"\n")
    return {plain, plain.replace(b"\n", b"\r\n")} - {content}


@dataclass(slots=True)
class Reader:
    """Reads the files of one folder.

    :ivar problems: what was wrong with them; ``finish`` raises it.
    """

    folder: Path
    problems: list[Problem] = field(default_factory=list)

    def files(self) -> Iterator[Path]:
        """The regular files directly in the folder (links are followed), by the bytes of their names.

        :raises UsageError: if it cannot be read.
        """
        with self._looking():
            names = looks.regular(self.folder)
        yield from (self.folder / name for name in sorted(names, key=os.fsencode))

    def deep(self) -> Iterator[Path]:
        """The regular files in the folder and in those below it, by the bytes of their paths.

        :raises UsageError: if it cannot be read.
        """
        with self._looking():
            os.listdir(self.folder)
        found = (path for path in self.folder.rglob("*") if path.is_file())
        yield from sorted(found, key=lambda path: str(path).encode(errors="surrogateescape"))

    def folders(self) -> Iterator[Path]:
        """The folders directly in it, by the bytes of their names.

        :raises UsageError: if it cannot be read.
        """
        with self._looking():
            names = os.listdir(self.folder)
        yield from (path for name in sorted(names, key=os.fsencode) if (path := self.folder / name).is_dir())

    def read(self, file: Path) -> tuple[bytes, Source]:
        """A file's bytes and its text as the tools send it: line ends as they are, without byte order mark.

        What is wrong with it goes to ``problems``; its text is empty then.
        """
        label = str(file)
        try:
            content = file.read_bytes()
        except OSError as error:
            self.problems.append(Problem(label, 1, 1, f"cannot be read: {error.strerror}"))
            return b"", Source(label, "")
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = Source(label, content[: error.start].decode("utf-8-sig", errors="replace"))
            what = f"is not UTF-8 (byte 0x{content[error.start]:02x}); save the file as UTF-8"
            self.problems.append(before.problem(len(before.text), what))
            return content, Source(label, "")
        source = Source(label, text)
        zero = text.find("\0")
        if zero >= 0:
            self.problems.append(source.problem(zero, "holds a NUL character, which PostgreSQL does not take"))
            return content, Source(label, "")
        return content, source

    def twice(self, file: Path, first: Path, version: object, noun: str = "version") -> None:
        """Note that a file has a version which another one has."""
        self.wrong(file, f"{first.name} has {noun} {version} already; each {noun} is one file")

    def wrong(self, file: Path, what: str) -> None:
        """Note that something is wrong with a file as a whole."""
        self.problems.append(Problem(str(file), 1, 1, what))

    def finish(self) -> None:
        """:raises FolderError: if anything was wrong."""
        if self.problems:
            raise FolderError(self.problems)

    @contextmanager
    def _looking(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise UsageError("There is no such folder of migrations", where=str(self.folder)) from None
        except OSError as error:
            raise UsageError(
                "The folder of migrations cannot be read", where=str(self.folder), why=error.strerror
            ) from None


def installed(file: Path) -> bool:
    """Whether a file came with a package, and is not the project's own."""
    return not {"site-packages", "dist-packages"}.isdisjoint(file.parts)


@dataclass(slots=True)
class Pairs(Generic[T]):
    """Files that apply versions, each with the one that takes it back, if there is one.

    :param noun: what the tool calls a version.
    """

    reader: Reader
    noun: str = "version"
    _ups: dict[int, tuple[Path, T]] = field(default_factory=dict)
    _downs: dict[int, Path] = field(default_factory=dict)

    def up(self, version: int, file: Path, told: T) -> None:
        """A file that applies a version, and what its name tells besides."""
        if version in self._ups:
            self.reader.twice(file, self._ups[version][0], version, self.noun)
        self._ups[version] = (file, told)

    def down(self, version: int, file: Path) -> None:
        """A file that takes a version back."""
        if version in self._downs:
            self.reader.wrong(file, f"{self._downs[version].name} takes {self.noun} {version} back already")
        self._downs[version] = file

    def all(self) -> Iterator[tuple[int, Path, T, Path | None]]:
        """Version, file, what its name tells, and the file that takes it back; by version."""
        for version in self._downs.keys() - self._ups.keys():
            self.reader.wrong(self._downs[version], f"there is no file that applies {self.noun} {version}")
        for version in sorted(self._ups):
            yield version, *self._ups[version], self._downs.get(version)
