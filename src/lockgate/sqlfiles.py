"""SQL that stands in .sql files beside the code that asks it."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.M)


@cache
def load(package: str, name: str) -> bytes:
    """The text of a package's ``<name>.sql``, or of one query of it: ``<file>.<query>``, under its ``-- name:`` line.

    Bytes, because psycopg takes them as a query that was not pasted together at run time.

    :param name: may begin with folders: ``sql/chunks.claim``.
    :raises KeyError: for a query that is not in the file.
    """
    file, _, query = name.partition(".")
    return _queries(package, file)[query] if query else _text(package, file).encode()


@cache
def _queries(package: str, file: str) -> dict[str, bytes]:
    _, *parts = _NAME.split(_text(package, file))
    return {name: sql.strip().encode() for name, sql in zip(parts[::2], parts[1::2], strict=True)}


def _text(package: str, file: str) -> str:
    return files(package).joinpath(f"{file}.sql").read_text("utf-8")
