"""The .sql files beside a plan."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from lockgate.suggest import nearest
from lockgate.textfile import Problem, Source, decode

_MOST_SUGGESTIBLE = 5_000


def is_sql_path(text: str) -> bool:
    """Whether a text is the path of a .sql file and not SQL: it ends with ``.sql`` and holds no space."""
    text = text.strip()
    return text.lower().endswith(".sql") and not any(character.isspace() for character in text)


class SqlFileError(Exception):
    """A path that cannot be taken; the message is a sentence about it."""


class SqlFiles:
    """Reads .sql files of one plan, each once, and remembers the hash of what was read.

    :param folder: the plan's folder; nothing outside of it is read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hashes: dict[str, str] = {}
        self.problems: list[Problem] = []
        self._sources: dict[str, Source] = {}

    def read(self, path: str) -> Source:
        """The text of a file. What is wrong inside of the file goes to ``problems``.

        :raises SqlFileError: if there is no such file, it cannot be read, or it is not in the folder.
        """
        relative = self._relative(path)
        if relative not in self._sources:
            self._sources[relative] = self._load(relative)
        return self._sources[relative]

    def spaced(self, text: str) -> str | None:
        """A sentence if a text that is taken for SQL is the path of a file with spaces in its name."""
        text = text.strip()
        if not text.lower().endswith(".sql"):
            return None
        try:
            found = (self.folder / text).is_file()
        except (OSError, ValueError):
            return None
        return f"the path of a .sql file may hold no spaces: rename `{text}`" if found else None

    def _relative(self, path: str) -> str:
        normal = os.path.normpath(path.strip())
        if os.path.isabs(normal) or normal.split(os.sep)[0] == os.pardir:
            raise SqlFileError(f"`{path}` is outside of the plan's folder; a plan's files are in its folder")
        return PurePosixPath(*Path(normal).parts).as_posix()

    def _load(self, relative: str) -> Source:
        file = self.folder / relative
        try:
            if not file.resolve().is_relative_to(self.folder.resolve()):
                raise SqlFileError(f"`{relative}` is a link that leaves the plan's folder")
            if file.is_dir():
                raise SqlFileError(f"`{relative}` is a folder; name a .sql file in it")
            if file.exists() and not file.is_file():
                raise SqlFileError(f"`{relative}` is not a regular file")
            content = file.read_bytes()
        except FileNotFoundError:
            raise SqlFileError(f"there is no file `{relative}` beside the plan{self._suggestion(relative)}") from None
        except RuntimeError:  # so says ``resolve`` before Python 3.13
            raise SqlFileError(f"`{relative}` is a link that leads to itself") from None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise SqlFileError(f"`{relative}` is a link that leads to itself") from None
            raise SqlFileError(f"`{relative}` cannot be read: {error.strerror}") from None
        self.hashes[relative] = hashlib.sha256(content).hexdigest()
        text, problems = decode(relative, content)
        if not problems and not text.strip():
            problems = [Problem(relative, 1, 1, "is empty")]
        self.problems += problems
        return Source(relative, text)

    def _suggestion(self, relative: str) -> str:
        files = list(self._existing())
        name = PurePosixPath(relative).name
        found = next((file for file in files if PurePosixPath(file).name == name), None) or nearest(relative, files)
        return f"; did you mean `{found}`?" if found else ""

    def _existing(self) -> Iterator[str]:
        count = 0
        for place, folders, files in os.walk(self.folder):
            folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
            for file in sorted(files):
                count += 1
                if count > _MOST_SUGGESTIBLE:
                    return
                if file.lower().endswith(".sql"):
                    yield (Path(place) / file).relative_to(self.folder).as_posix()
